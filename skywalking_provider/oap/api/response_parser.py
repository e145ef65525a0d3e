"""Parser of one field of a response. A response of another form is rejected here, with the place of the problem.

Only `data` is parsed: `transport/error_mapping.py` handles `errors`.

A list ends at its first invalid item: pydantic otherwise makes an error of each, 700 bytes for one of two bytes.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Generic, NoReturn, TypeVar

from pydantic import AfterValidator, Field, StrictInt, TypeAdapter, ValidationError

from skywalking_provider.errors import ProviderError, Reason

T = TypeVar("T")

_MAX_SHOWN: Final = 24  # characters of a value in a message
_MAX_PATH: Final = 200  # characters of a path in a message; some of its names are the OAP's


def _let_other_threads_run(item: T) -> T:
    """Return the item. Python switches threads in calls like this one; pydantic otherwise validates a list in one."""
    return item


Item = Annotated[T, AfterValidator(_let_other_threads_run)]
"""An item of a list that may be long."""

Items = Annotated[tuple[Item[T], ...], Field(fail_fast=True)]
"""A list that is rejected at its first invalid item."""

Long = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
"""Java's `long`."""


class FieldParser(Generic[T]):
    """Parser of one field of a response.

    Its validator is built at the first response, a millisecond: many of them are for optional requests.

    Args:
        kind: Type of the field. Types of objects are dataclasses of the standard library: pydantic's own would each
            have a validator that is never used.
    """

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self._kind)

    def parse(self, data: Mapping[str, Any], field: str) -> T:
        """Parse a field of a response's data.

        Raises:
            ProviderError: OAP_RESPONSE_INVALID, with the place in the response.
        """
        if field not in data:
            raise_invalid_response(field, "missing")
        try:
            return self._adapter.validate_python(data[field])
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            actual = "missing" if detail["type"] == "missing" else describe_json(detail["input"])
            raise_invalid_response(".".join(map(str, (field, *detail["loc"]))), actual)


def is_long(number: int) -> bool:
    """Return whether a number fits into Java's `long`."""
    return -(2**63) <= number < 2**63


def raise_invalid_response(path: str, actual: str) -> NoReturn:
    """Raise the error of a response that has an unexpected form.

    Args:
        path: Place in the response.
        actual: Description of the value in that place.
    """
    raise ProviderError(
        Reason.OAP_RESPONSE_INVALID,
        f"response has an unexpected form: {path[:_MAX_PATH]} is {actual}",
        "Check that the backend is a SkyWalking OAP",
    )


def describe_json(value: object) -> str:
    """Describe a JSON value in a few words."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case None:
            return "null"
    text = repr(value[:_MAX_SHOWN]) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
