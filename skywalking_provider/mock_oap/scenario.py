"""Scenarios: the services, their calls in each minute and their callers, written in YAML."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from skywalking_provider.mock_oap.layers import NOT_NORMAL, VIRTUAL_LAYERS, Layer
from skywalking_provider.mock_oap.metric_catalog import DetectPoint

FOLDER: Final = resources.files(__package__) / "scenarios"
DAY: Final = 24 * 60


class ScenarioError(ValueError):
    """An invalid scenario. The message names the place and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("a name occurs twice")
    return names


def _as_list(layer: object) -> object:
    return [layer] if isinstance(layer, str) else layer


def _known_layer(name: object) -> object:
    if name not in tuple(Layer):
        raise ValueError(f"{name!r} is not a layer of OAP. Write one of {', '.join(Layer)}.")
    return name


class Traffic(_Part):
    """A span of minutes with the same calls in each."""

    begin: int = Field(default=-DAY, alias="from")
    """First minute, counted from the minute in which the mock's clock started."""
    until: int | None = None
    """First minute after it; None if it never ends."""
    calls: int = Field(ge=0, le=1_000_000)
    """Calls per minute. A minute without calls is absent in OAP, not 0."""
    failures: int | None = Field(default=None, ge=0)
    """Number of failing calls, spread evenly."""
    success_ratio: float | None = Field(default=None, ge=0, le=1)
    """Share of calls that succeed; an alternative to `failures`."""
    latencies: tuple[Annotated[int, Field(ge=0, le=3_600_000)], ...] = Field(default=(50,), min_length=1)
    """Milliseconds, assigned to the calls round robin."""
    endpoints: Annotated[tuple[str, ...], AfterValidator(_unique)] = ()
    """Endpoints of the service that the calls are for; if empty, all of them."""
    delay: int = Field(default=0, ge=0)
    """Seconds until a call becomes visible, for late data."""
    idle_every: int | None = Field(default=None, ge=2)
    """Size of groups of minutes of which the last has no calls."""
    idle_minutes: frozenset[int] = frozenset()
    """Minutes without calls, counted from the start of the clock."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.failures is not None and self.success_ratio is not None:
            raise ValueError("failures and successRatio exclude each other. Write one of them.")
        if self.failures is not None and self.failures > self.calls:
            raise ValueError(f"failures ({self.failures}) cannot exceed calls ({self.calls})")
        if self.until is not None and self.until <= self.begin:
            raise ValueError(f"until ({self.until}) must be after from ({self.begin})")
        return self

    @property
    def failure_count(self) -> int:
        """Number of failing calls per minute."""
        if self.failures is not None:
            return self.failures
        return self.calls - round(self.calls * self.success_ratio) if self.success_ratio is not None else 0

    def covers(self, minute: int) -> bool:
        """Return whether there are calls in this minute of the scenario."""
        if minute < self.begin or (self.until is not None and minute >= self.until) or not self.calls:
            return False
        if self.idle_every is not None and minute % self.idle_every == self.idle_every - 1:
            return False
        return minute not in self.idle_minutes


class ScenarioInstance(_Part):
    """A running instance of a service, such as a pod."""

    name: str = Field(min_length=1)
    attributes: dict[str, str] = {}
    traffic: tuple[Traffic, ...] = ()
    """Its own calls; if empty, it shares those of the service."""
    begin: int | None = Field(default=None, alias="from")
    """First minute in which OAP lists it; None if always."""
    until: int | None = None
    """First minute in which OAP no longer lists it; None if never."""
    language: str = "UNKNOWN"

    def is_listed(self, first: int, last: int) -> bool:
        """Return whether it was alive in any minute from `first` to `last`."""
        return (self.begin is None or self.begin <= last) and (self.until is None or self.until > first)


class ScenarioCaller(_Part):
    """A service that calls another one. Its calls count for the metrics of relations only."""

    service: str = Field(min_length=1)
    """Name of the calling service. OAP lists it only if the scenario has it as a service."""
    normal: bool = True
    detected_by: frozenset[DetectPoint] = Field(default=frozenset(DetectPoint), min_length=1)
    """Sides that report the calls: client, server or both."""
    traffic: tuple[Traffic, ...] = Field(min_length=1)


class ScenarioAlarm(_Part):
    """An alarm of the service, or of one of its instances or endpoints."""

    rule: str = Field(min_length=1)
    """Name of the rule. An OAP before 11 has it only in the message of a rule without one."""
    begin: int = Field(alias="from")
    """Minute in which it begins, counted from the minute in which the mock's clock started."""
    second: float = Field(default=20, ge=0, lt=60)
    """Second of the minute: an OAP evaluates its rules at about 20 seconds of each."""
    every: int | None = Field(default=None, ge=1)
    """Minutes after which the rule raises it again; None if it does not."""
    until: int | None = None
    """First minute in which the rule no longer raises it; None if it always does."""
    recovers_after: int | None = Field(default=None, ge=0)
    """Minutes after which it has recovered; None if it does not recover."""
    message: str = ""
    instance: str | None = None
    endpoint: str | None = None
    tags: dict[str, str] = {}

    @property
    def text(self) -> str:
        """The message, by default the OAP's own."""
        return self.message or f"Alarm caused by Rule {self.rule}"


def _is_normal(fields: Mapping[str, Any]) -> bool:
    return not NOT_NORMAL.issuperset(fields.get("layers", ()))


class ScenarioService(_Part):
    """A service."""

    name: str = Field(min_length=1)
    layers: Annotated[
        tuple[Annotated[Layer, BeforeValidator(_known_layer)], ...],
        BeforeValidator(_as_list),
        AfterValidator(_unique),
    ] = Field(default=(Layer.MESH,), min_length=1, alias="layer")
    """One or more layers; the service of an agent behind a mesh is in both."""
    normal: bool = Field(default_factory=_is_normal)
    """Whether the service has an agent or a proxy that reports it. By default, only virtual layers have none."""
    begin: int | None = Field(default=None, alias="from")
    """First minute in which OAP lists it; None if always."""
    apdex_threshold: int = Field(default=500, gt=0)
    """Milliseconds."""
    agent: bool = False
    """Whether an agent reports each of its calls as a trace."""
    error_log: str = ""
    """Text of the log that the agent reports with each failed call; empty for none."""
    instances: tuple[ScenarioInstance, ...] = ()
    endpoints: Annotated[tuple[str, ...], AfterValidator(_unique)] = ()
    traffic: tuple[Traffic, ...] = ()
    callers: tuple[ScenarioCaller, ...] = ()
    alarms: tuple[ScenarioAlarm, ...] = ()

    @property
    def is_virtual(self) -> bool:
        """Whether it is a target without an agent, such as a database, which has no metrics of services."""
        return VIRTUAL_LAYERS.issuperset(self.layers)

    @model_validator(mode="after")
    def _names(self) -> Self:
        _unique(tuple(instance.name for instance in self.instances))
        spans = [*self.traffic, *(span for instance in self.instances for span in instance.traffic)]
        if self.error_log and not self.agent:
            raise ValueError("errorLog needs an agent. Set agent to true.")
        if unknown := {name for span in spans for name in span.endpoints} - {*self.endpoints}:
            raise ValueError(f"endpoint {min(unknown)!r} of traffic is not one of endpoints. Add it to the service.")
        return self


class Scenario(_Part):
    """The services of a mock OAP, and how it stores their calls."""

    description: str = ""
    flush: float = Field(default=25, gt=0)
    """Seconds between two writes to the storage (OAP's persistentPeriod), which make new calls visible."""
    services: tuple[ScenarioService, ...]

    @model_validator(mode="after")
    def _names(self) -> Self:
        _unique(tuple(service.name for service in self.services))
        return self

    @property
    def flush_period(self) -> timedelta:
        """The time between two writes to the storage."""
        return timedelta(seconds=self.flush)


def shipped_scenarios() -> list[str]:
    """Return the names of the scenarios in the package."""
    return sorted(file.name.removesuffix(".yaml") for file in FOLDER.iterdir() if file.name.endswith(".yaml"))


def load_scenario(name_or_file: str | Path) -> Scenario:
    """Load a shipped scenario by name, or one from a file.

    Raises:
        ScenarioError: The scenario does not exist or is invalid.
    """
    if str(name_or_file) in shipped_scenarios():
        return parse_scenario((FOLDER / f"{name_or_file}.yaml").read_text(encoding="utf-8"), str(name_or_file))
    path = Path(name_or_file)
    if not path.is_file():
        raise ScenarioError(
            f"no scenario {str(name_or_file)!r}. Give a YAML file, or one of {', '.join(shipped_scenarios())}."
        )
    return parse_scenario(path.read_text(encoding="utf-8"), str(path))


def parse_scenario(text: str, source: str) -> Scenario:
    """Parse a scenario.

    Args:
        text: YAML document.
        source: Name of the document in errors.

    Raises:
        ScenarioError: With the place of each problem.
    """
    try:
        content: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}: not YAML: {error}") from error
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        raise ScenarioError("\n".join(f"{source}: {line}" for line in _format_errors(error))) from error


_LEVELS: Final[Mapping[str, type[_Part]]] = {
    "services": ScenarioService,
    "instances": ScenarioInstance,
    "traffic": Traffic,
    "callers": ScenarioCaller,
    "alarms": ScenarioAlarm,
}


def _level_keys(place: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the level that has an unknown key."""
    level = next((_LEVELS[part] for part in reversed(place[:-1]) if isinstance(part, str)), Scenario)
    return [field.alias or name for name, field in level.model_fields.items()]


def _format_errors(validation_error: ValidationError) -> Iterable[str]:
    for error in validation_error.errors(include_url=False):
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
        if error["type"] == "extra_forbidden":
            keys = ", ".join(_level_keys(error["loc"]))
            yield f"{place}: unknown key. Remove it, or write one of {keys}."
        else:
            yield f"{place or 'scenario'}: {error['msg'].removeprefix('Value error, ')}"
