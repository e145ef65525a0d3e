"""Types of configuration values: validation, and conversion from YAML and from environment variables."""

import re
from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from skywalking_provider.model import Secret
from skywalking_provider.support.addresses import normalise_address
from skywalking_provider.support.durations import Duration, format_duration
from skywalking_provider.support.links import check_link_pattern


def _secret(value: object) -> object:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError('is not a text. Write it in quotes, such as "12345"')
    if has_controls(value):
        raise ValueError(
            "has a line break or another control character, which an HTTP header cannot contain. Remove it"
        )
    return Secret(value)


def has_controls(text: str) -> bool:
    """Return whether a text has control characters, such as a line break, that would end an HTTP header."""
    return re.search(r"[\x00-\x1f\x7f]", text) is not None


def header_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", value):
        raise ValueError("is not a name of an HTTP header. Write one such as X-Tenant")
    return value


def namespace_pattern(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?", value):
        raise ValueError("is not a namespace or a pattern. Write one such as team-a or team-*")
    return value


def link(value: str) -> str:
    if "@" in value.partition("://")[2].partition("/")[0]:  # shown to all readers of a run
        raise ValueError("has credentials, and is shown in the status of every run. Remove them")
    return value


def username(value: str) -> str:
    if ":" in value:
        raise ValueError("has a colon, which HTTP basic authentication cannot encode. Use another user")
    return value


def min_timeout(value: timedelta) -> timedelta:
    if value < timedelta(milliseconds=100):
        raise ValueError("is shorter than 100ms, which no OAP can meet. Write 100ms or more")
    return value


def _zone(value: object) -> object:
    try:
        return ZoneInfo(value) if isinstance(value, str) else value
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{value!r} is not an IANA time zone. Write one such as Europe/Berlin") from error


def _octal(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"0?[0-7]{3}", value):
        return int(value, 8)
    raise ValueError('is not a file mode. Write it in quotes, such as "0660" or "0600"')


SecretText = Annotated[Secret, BeforeValidator(_secret), PlainSerializer(lambda _: "********", return_type=str)]
Seconds = Annotated[Duration, PlainSerializer(format_duration, return_type=str)]
Mode = Annotated[int, BeforeValidator(_octal), PlainSerializer(lambda mode: f"{mode:04o}", return_type=str)]
HeaderName = Annotated[str, AfterValidator(header_name)]
NamespacePattern = Annotated[str, AfterValidator(namespace_pattern)]
Link = Annotated[str, AfterValidator(link)]
LinkPattern = Annotated[str, AfterValidator(check_link_pattern), AfterValidator(link)]
Url = Annotated[str, AfterValidator(normalise_address)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), PlainSerializer(str, return_type=str)]
