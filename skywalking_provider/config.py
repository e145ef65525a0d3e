"""The configuration of the service: flags, then environment, then one YAML file, then defaults."""

import difflib
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from skywalking_provider.model import Secret
from skywalking_provider.spec.address import normalise_address
from skywalking_provider.spec.duration import Duration, format_duration
from skywalking_provider.spec.entity import check_pattern
from skywalking_provider.spec.problems import describe, keys_of

ENVIRONMENT_PREFIX = "SWP_"
"""SWP_LOG__LEVEL=debug is log.level; two underscores go one level down."""

CONFIG_FILE = "SWP_CONFIG_FILE"
"""Path of the file; it is no key of it."""

OAP_ADDRESS = "SW_OAP_ADDRESS"
"""SkyWalking's own variable: the url of a backend named `default`, where the file names none."""


class ConfigError(Exception):
    """The configuration cannot be used; the text names the key and the remedy."""


def _secret(value: object) -> object:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError('is no text; write it in quotes, such as "12345"')
    return Secret(value)


def _username(value: str) -> str:
    if ":" in value:
        raise ValueError("holds a colon, which HTTP basic authentication cannot carry")
    return value


def _short_enough(value: timedelta) -> timedelta:
    if value > timedelta(seconds=30):
        raise ValueError("is longer than 30s; an answer may have changed by then")
    return value


def _long_enough(value: timedelta) -> timedelta:
    if value < timedelta(milliseconds=100):
        raise ValueError("is shorter than 100ms; no OAP answers in that time")
    return value


def _zone(value: object) -> object:
    try:
        return ZoneInfo(value) if isinstance(value, str) else value
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{value!r} is no IANA name such as Europe/Berlin") from error


def _octal(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"0?[0-7]{3}", value):
        return int(value, 8)
    raise ValueError('is not a mode; write it quoted, as "0660" or "0600"')


SecretText = Annotated[Secret, BeforeValidator(_secret), PlainSerializer(lambda _: "********", return_type=str)]
Seconds = Annotated[Duration, PlainSerializer(format_duration, return_type=str)]
Mode = Annotated[int, BeforeValidator(_octal), PlainSerializer(lambda mode: f"{mode:04o}", return_type=str)]
Url = Annotated[str, AfterValidator(normalise_address)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=False, arbitrary_types_allowed=True
    )


class Basic(_Section):
    """HTTP basic authentication; the password is given as text or as a file, which is read again when it changes."""

    username: Annotated[str, AfterValidator(_username)]
    password: SecretText | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _one_password(self) -> "Basic":
        if (self.password is None) == (self.password_file is None):
            raise ValueError("write exactly one of password and passwordFile")
        return self


class Bearer(_Section):
    """A bearer token, given as text or as a file, which is read again when it changes."""

    token: SecretText | None = None
    token_file: Path | None = None

    @model_validator(mode="after")
    def _one_token(self) -> "Bearer":
        if (self.token is None) == (self.token_file is None):
            raise ValueError("write exactly one of token and tokenFile")
        return self


class BackendConfig(_Section):
    """One OAP.

    Attributes:
        url: Base URL; /graphql is appended to it.
        aliases: Other addresses that templates use for this OAP. They are compared, never dialled.
        timeout: How long one request may take.
        ui: Address of the SkyWalking UI, for the link in a run's status.
        service_name: How the parts of a service become the name that SkyWalking knows.
        timezone: IANA name of the OAP's zone, where its clocks are changed twice a year: getTimeInfo tells only today's
            offset, and a window over the change needs both.
        settle: How long after its end a bucket is read (OAP flushes every 25 s, then its storage refreshes).
        clock_ttl: How long an answer of getTimeInfo is used.
        answer_ttl: How long an answer serves identical questions. Late data within `settle` must not stick.
        max_answer_bytes: Longer answers are refused unread.
        max_requests: Requests in flight at the same time.
    """

    url: Url
    aliases: tuple[Url, ...] = ()
    ui: str | None = None
    service_name: Annotated[str, AfterValidator(check_pattern)] = "{name}.{namespace}"
    timezone: Annotated[ZoneInfo, BeforeValidator(_zone), PlainSerializer(str, return_type=str)] | None = None
    timeout: Annotated[Seconds, AfterValidator(_long_enough)] = timedelta(seconds=5)
    settle: Seconds = timedelta(seconds=60)
    clock_ttl: Seconds = timedelta(seconds=60)
    answer_ttl: Annotated[Seconds, AfterValidator(_short_enough)] = timedelta(seconds=10)
    max_answer_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    max_requests: int = Field(default=32, ge=1, le=1024)
    headers: dict[str, SecretText] = {}
    basic: Basic | None = None
    bearer: Bearer | None = None

    @model_validator(mode="after")
    def _one_authorization(self) -> "BackendConfig":
        ways = [self.basic is not None, self.bearer is not None, "authorization" in {k.lower() for k in self.headers}]
        if sum(ways) > 1:
            raise ValueError("write at most one of basic, bearer and an Authorization header")
        return self


class LogConfig(_Section):
    """How the service logs, always to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Config(_Section):
    """The whole configuration.

    Attributes:
        socket: Unix socket to serve on.
        socket_mode: Its mode; the group is for a controller of another user.
        listen: host:port to serve on instead; beyond loopback only with `insecure`.
        insecure: Serve on `listen` beyond loopback without authentication.
        drain: How long calls in flight may go on after the first SIGTERM.
        backends: The OAPs by name.
    """

    api_version: Literal["v1"] = "v1"
    socket: Path | None = None
    socket_mode: Mode = 0o660
    listen: str | None = None
    insecure: bool = False
    drain: Seconds = timedelta(seconds=15)
    log: LogConfig = LogConfig()
    backends: dict[str, BackendConfig] = Field(default={}, validate_default=True)

    @model_validator(mode="after")
    def _unambiguous(self) -> "Config":
        if not self.backends:
            raise ValueError(
                f"backends: name at least one OAP, for example backends: {{default: {{url: http://oap:12800}}}}, "
                f"or set {OAP_ADDRESS}"
            )
        owners: dict[str, str] = {}
        for name, backend in self.backends.items():
            if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name):
                raise ValueError(f"backends.{name}: a name has lower-case letters, digits and dashes")
            for address in {backend.url, *backend.aliases}:
                if owners.setdefault(address, name) != name:
                    raise ValueError(f"backends.{name}: {address} selects the backend {owners[address]} already")
        return self

    def shown(self) -> str:
        """The effective configuration as YAML, secrets masked."""
        return yaml.safe_dump(self.model_dump(mode="json", by_alias=True, exclude_none=True), sort_keys=False)


_KEYS = frozenset(key for section in (Config, BackendConfig, LogConfig, Basic, Bearer) for key in keys_of(section))


def load_config(path: Path | None, flags: dict[str, Any], environment: dict[str, str] | None = None) -> Config:
    """Read the configuration.

    Args:
        path: The YAML file; none is fine where environment and flags say enough.
        flags: Keys of the configuration that the command line gave; None values are skipped.
        environment: By default the process's.

    Raises:
        ConfigError: The file, a key or a value is wrong; all findings at once.
    """
    environment = dict(os.environ) if environment is None else environment
    content = _read(path) if path else {}
    if (address := environment.get(OAP_ADDRESS)) and not content.get("backends"):
        content["backends"] = {"default": {"url": address}}
    _merge(content, _from_environment(environment))
    _merge(content, {key: value for key, value in flags.items() if value is not None})
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        place = f"{path}: " if path else ""
        raise ConfigError(f"{place}{describe(error, _KEYS)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds no mapping; begin with `backends:`")
    return content


def _from_environment(environment: dict[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name == CONFIG_FILE:
            continue
        keys = [_key(part) for part in name.removeprefix(ENVIRONMENT_PREFIX).split("__")]
        if keys[0] not in keys_of(Config):
            near = difflib.get_close_matches(keys[0], keys_of(Config), n=1)
            hint = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(sorted(keys_of(Config)))}"
            raise ConfigError(f"environment variable {name}: {keys[0]} is an unknown key; {hint}")
        branch: dict[str, Any] = {keys[-1]: value}
        for key in reversed(keys[:-1]):
            branch = {key: branch}
        _merge(content, branch)
    return content


def _key(part: str) -> str:
    """A key of the configuration, or a name of the user's (a backend, a header), which may have dashes."""
    key = to_camel(part.lower())
    return key if key in _KEYS else part.lower().replace("_", "-")


def _merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
