"""What a value of the configuration may be, and how it is read from YAML and from the environment."""

import re
from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from skywalking_provider.model import Secret
from skywalking_provider.support.addresses import normalise_address
from skywalking_provider.support.durations import Duration, format_duration


def _secret(value: object) -> object:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError('is no text; write it in quotes, such as "12345"')
    if has_controls(value):
        raise ValueError("has more than one line, or a control character, which no header can carry")
    return Secret(value)


def has_controls(text: str) -> bool:
    """Whether a text holds what would end a line of HTTP."""
    return re.search(r"[\x00-\x1f\x7f]", text) is not None


def header_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", value):
        raise ValueError("is no name of an HTTP header, such as X-Tenant")
    return value


def namespace_pattern(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?", value):
        raise ValueError("is no namespace, such as team-a, and no pattern of one, such as team-*")
    return value


def link(value: str) -> str:
    if "@" in value.partition("://")[2].partition("/")[0]:  # shown to everybody who may read a run
        raise ValueError("must not carry credentials: it is shown in the status of every run")
    return value


def username(value: str) -> str:
    if ":" in value:
        raise ValueError("holds a colon, which HTTP basic authentication cannot carry")
    return value


def max_ttl(value: timedelta) -> timedelta:
    if value > timedelta(seconds=30):
        raise ValueError("is longer than 30s; an answer may have changed by then")
    return value


def min_timeout(value: timedelta) -> timedelta:
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
HeaderName = Annotated[str, AfterValidator(header_name)]
NamespacePattern = Annotated[str, AfterValidator(namespace_pattern)]
Link = Annotated[str, AfterValidator(link)]
Url = Annotated[str, AfterValidator(normalise_address)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), PlainSerializer(str, return_type=str)]
