"""The query type `alarms`: alarms that rules of the OAP raised for an entity."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from skywalking_provider.block.common import MINUTE
from skywalking_provider.block.entity import EntitySpec
from skywalking_provider.model import Scope
from skywalking_provider.support.durations import Duration, format_duration
from skywalking_provider.support.strict_model import StrictModel

MAX_RULES: Final = 20
MAX_TAGS: Final = 10
MAX_SILENCE_PERIOD: Final = timedelta(hours=2)
_RULE_SUFFIX: Final = "_rule"  # the OAP rejects rules without it


class AlarmScope(StrEnum):
    """Kind of entity that an alarm belongs to."""

    SERVICE = "service"
    INSTANCE = "instance"
    ENDPOINT = "endpoint"

    @property
    def scope(self) -> Scope:
        """SkyWalking's scope."""
        return _SCOPES[self]


_SCOPES: Final[Mapping[AlarmScope, Scope]] = {
    AlarmScope.SERVICE: Scope.SERVICE,
    AlarmScope.INSTANCE: Scope.INSTANCE,
    AlarmScope.ENDPOINT: Scope.ENDPOINT,
}


def _check_rule(name: str) -> str:
    if not name.endswith(_RULE_SUFFIX):
        raise ValueError(
            f"{name[:60]!r} is not the name of an alarm rule, which ends with {_RULE_SUFFIX};"
            " write its name from the OAP's alarm-settings.yml"
        )
    return name


def _check_unique(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) < len(values):
        raise ValueError("has a value twice; remove one")
    return values


def _check_silence_period(length: timedelta) -> timedelta:
    if length > MAX_SILENCE_PERIOD:
        raise ValueError(f"is {format_duration(length)}, must be at most {format_duration(MAX_SILENCE_PERIOD)}")
    if length % MINUTE:
        raise ValueError(f"{format_duration(length)} is not in whole minutes, as silence-period of a rule is")
    return length


def _reject_text(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"is {value[:60]!r} instead of a list. Write [{value[:60]}]")
    return value


RuleName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_check_rule)
]
TagText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]


class Alarms(StrictModel):
    """Selection of alarms. Without keys, every alarm of the entity counts.

    Attributes:
        rules: Names of the rules whose alarms count, as in alarm-settings.yml. Without them, all rules do.
        tags: Tags that an alarm must have, with these values.
        scopes: Kinds of entities whose alarms count: service, instance, endpoint. Default is the kind that the block
            selects. Of a kind that the block does not select, those of all instances or endpoints of the service count.
        silence_period: Longest silence-period of the rules, in whole minutes. An alarm that began at most this long
            ago is firing unless the OAP reports its recovery.
    """

    rules: Annotated[
        tuple[RuleName, ...], BeforeValidator(_reject_text), Field(max_length=MAX_RULES), AfterValidator(_check_unique)
    ] = ()
    tags: dict[TagText, TagText] = Field(default_factory=dict, max_length=MAX_TAGS)
    scopes: Annotated[tuple[AlarmScope, ...], BeforeValidator(_reject_text), AfterValidator(_check_unique)] = ()
    silence_period: Annotated[Duration, AfterValidator(_check_silence_period)] = timedelta(minutes=10)


class AlarmsSpec(EntitySpec):
    """Alarms of the OAP for the entity in the window.

    Attributes:
        alarms: Alarms that count.
    """

    alarms: Alarms

    @property
    def alarm_scopes(self) -> tuple[Scope, ...]:
        """Scopes whose alarms count."""
        return tuple(one.scope for one in self.alarms.scopes) or (self.scope,)

    def describe_alarms(self) -> str:
        """Return the selection of alarms for the facts of a metric."""
        rules = ", ".join(self.alarms.rules) or "all rules"
        tags = "".join(f", {key}={value}" for key, value in self.alarms.tags.items())
        scopes = f" ({', '.join(self.alarms.scopes)})" if self.alarms.scopes else ""
        return f"{rules}{tags}{scopes}"
