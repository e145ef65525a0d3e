"""Faults: what can go wrong between a client and an OAP, switchable while the mock runs."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MEBIBYTE: Final = 1024 * 1024


class FaultError(ValueError):
    """A fault that cannot be had; the message says what can."""


class FaultKind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    """The answer comes after `seconds`."""
    STATUS = "status"
    """An HTTP `status` with the text of OAP's server: 500, 503, 401, 403, 404..."""
    HTML = "html"
    """A proxy's page, with `status` (200 unless said otherwise)."""
    RESET = "reset"
    """The connection is reset, without an answer."""
    HANG = "hang"
    """No answer for `seconds`, or until the client gives up."""
    TRUNCATED = "truncated"
    """Half of the answer, then the connection closes."""
    HUGE = "huge"
    """A JSON answer of `size` bytes."""
    REDIRECT = "redirect"
    """A redirection (302) to `location`."""
    STORAGE_DOWN = "storage-down"
    """The first read fails as a GraphQL error, the next as HTTP 503 after `seconds`; getTimeInfo still answers."""
    RESPONSE = "answer"
    """An answer as given: `status`, `body`, `contentType`."""


class Fault(BaseModel):
    """One fault: what, to which requests, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: FaultKind
    seconds: float | None = Field(default=None, ge=0, le=86_400)
    """Of latency (1 unless said otherwise), hang (without end) and storage-down (10)."""
    status: int | None = Field(default=None, ge=200, le=599)
    body: str = ""
    content_type: str | None = Field(default="application/json", alias="contentType")
    location: str = "/login"
    size: int = Field(default=64 * MEBIBYTE, gt=0, le=1024 * MEBIBYTE)
    times: int | None = Field(default=None, ge=1)
    """How many requests meet it; without, all until it is cleared."""
    match: str = ""
    """Only requests whose body contains this text."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """A fault from the command line: `kind` or `kind:key=value,...`, e.g. `status:status=503,times=3`."""
        kind, _, rest = text.partition(":")
        given: dict[str, Any] = {"kind": kind}
        for pair in filter(None, rest.split(",")):
            key, separator, value = pair.partition("=")
            if not separator:
                raise FaultError(f"fault {text!r}: {pair!r} is no key=value")
            given[key] = value
        return cls.from_json(given)

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """A fault from JSON; FaultError says what is wrong."""
        try:
            return cls.model_validate(data)
        except ValidationError as wrong:
            raise FaultError("; ".join(_format_errors(wrong))) from wrong


def _format_errors(validation_error: ValidationError) -> Iterable[str]:
    for found in validation_error.errors(include_url=False):
        place = ".".join(str(part) for part in found["loc"]) or "fault"
        yield f"{place}: {found['msg']}"


class Faults:
    """The faults that are switched on. The first that fits a request is met, and counted."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._active: list[tuple[Fault, int]] = []  # with how often each was met
        for fault in faults:
            self.add(fault)

    @property
    def active(self) -> tuple[Fault, ...]:
        """The faults that are on."""
        return tuple(fault for fault, _ in self._active)

    def add(self, fault: Fault) -> None:
        """Switch one on, after those that are on."""
        self._active.append((fault, 0))

    def clear(self) -> None:
        """Switch all off."""
        self._active.clear()

    def match_request(self, body: str) -> Fault | None:
        """The fault that this request meets; None if all is well."""
        for index, (fault, met) in enumerate(self._active):
            if fault.match in body:
                if fault.times is not None and met + 1 >= fault.times:
                    del self._active[index]
                else:
                    self._active[index] = (fault, met + 1)
                return fault
        return None
