"""What an answer holds, read by read: buckets with values, and buckets without. Absent is never zero. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.errors import ProviderError, Reason

_DECIMAL = re.compile(r"-?\d+(\.\d+)?")

Number = int | float
Bucket = Number | str | None
"""One bucket: a number, MQE's text for what is none ("NaN"), or absent."""


@dataclass(frozen=True, slots=True)
class Series:
    """The buckets of one read; `None` where a bucket is absent."""

    name: str
    buckets: tuple[Bucket, ...]

    @property
    def present(self) -> tuple[Number | str, ...]:
        """The buckets that have a value."""
        return tuple(bucket for bucket in self.buckets if bucket is not None)


def series_of(data: Mapping[str, Any]) -> list[Series]:
    """The series of an answer, one for every top-level field that reads metrics; other fields are not metrics.

    Args:
        data: The GraphQL data. Known forms: MetricsValues, a list of them (labeled), an MQE result, a nullable value,
            a bare number, and null.
    """
    found = ((name, _buckets(field)) for name, field in data.items())
    return [Series(name, buckets) for name, buckets in found if buckets is not None]


def errors_of(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The errors that MQE puts beside its data: pairs of field and OAP's own words."""
    for name, field in data.items():
        match field:
            case {"error": str(error)} if error:
                yield name, error


def _buckets(field: object) -> tuple[Bucket, ...] | None:
    match field:
        case None:
            return ()
        case bool():
            return None
        case int() | float():
            return (field,)
        case {"isEmptyValue": bool(empty), "value": value}:
            return (None if empty else _bucket(value),)
        case {"results": list(results)}:
            return _joined(result.get("values") for result in results if isinstance(result, dict))
        case {"values": {"values": list(values)}}:
            return _joined([values])
        case []:
            return ()
        case [{"values": {"values": list()}}, *_]:
            return _joined(one["values"]["values"] for one in field if isinstance(one, dict))
    return tuple(_marked(field)) or None  # under other names: an author may use aliases


def _joined(lists: Iterator[Any] | Sequence[Any]) -> tuple[Bucket, ...] | None:
    """Buckets of all lists; None if nothing in them says whether it is present."""
    buckets: list[Bucket] = []
    for values in lists:
        for value in values or ():
            if not isinstance(value, dict) or not ("value" in value or "isEmptyValue" in value):
                return None
            buckets.append(_of_dict(value))
    return tuple(buckets)


def _marked(node: object) -> Iterator[Bucket]:
    """Every bucket that says whether it is empty, at any depth."""
    if isinstance(node, dict) and "isEmptyValue" in node:
        yield _of_dict(node)
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _marked(child)


def _of_dict(value: Mapping[str, Any]) -> Bucket:
    """A bucket; its value may stand under an alias."""
    if value.get("isEmptyValue") is True:
        return None
    if "value" in value:
        return _bucket(value["value"])
    return next((bucket for key in value if key != "isEmptyValue" and (bucket := _bucket(value[key])) is not None), 0)


def number_text(number: Number) -> str:
    """A number as a person reads it: six significant digits at most after the point, no exponent for what is usual."""
    return f"{number:.10g}" if isinstance(number, int) or number.is_integer() else f"{number:.6g}"


def decimal(text: object, expression: str) -> Number | None:
    """A number as MQE writes it; None where it is absent.

    Raises:
        ProviderError: It is none: "NaN" (0/0), "∞" (x/0), or written with the decimal comma of the OAP's locale.
    """
    if text is None:
        return None
    if isinstance(text, str) and _DECIMAL.fullmatch(text):
        return float(text) if "." in text else int(text)
    if isinstance(text, str) and _DECIMAL.fullmatch(text.replace(",", ".")):
        raise ProviderError(
            Reason.OAP_ANSWER_INVALID,
            f"{expression}: OAP writes numbers with a comma ({text}), so that parts of them are lost",
            "start the OAP with -Duser.language=en",
        )
    raise ProviderError(
        Reason.OAP_ANSWER_INVALID,
        f"{expression}: OAP answered {str(text)[:20]!r}, which is no number",
        "x/0 is ∞, 0/0 is NaN",
    )


def _bucket(value: object) -> Bucket:
    if isinstance(value, str):
        return (float(value) if "." in value else int(value)) if _DECIMAL.fullmatch(value) else value
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
