"""What an answer holds, read by read: buckets with values, and buckets without. Absent is never zero. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.errors import BackendAway, ProviderError, Reason

_DECIMAL = re.compile(r"-?\d{1,300}(\.\d{1,100})?", re.ASCII)
_PLAIN = 10**9

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
    """What looks like series in an answer that nobody checked: of every top-level field, and of every label in it.

    Args:
        data: The GraphQL data. Known forms: MetricsValues, a list of them (labeled), an MQE result, a nullable value,
            a bare number, and null.
    """
    parts = ((f"{name}{label}", _buckets(part)) for name, field in data.items() for label, part in _parts(field))
    return [Series(name, buckets) for name, buckets in parts if buckets is not None]


def _parts(field: object) -> Iterator[tuple[str, object]]:
    """The labels of a field, each with its own part; the whole field where it has none."""
    match field:
        case [{"values": dict()}, _, *_]:
            for one in field:
                yield (f" {one['label']}" if isinstance(one, dict) and one.get("label") else ""), one
        case {"results": [_, _, *_] as results}:
            for one in results:
                yield f" {label_text(one)}".rstrip(), {"results": [one]}
        case _:
            yield "", field


def label_text(result: object) -> str:
    """The labels of an MQE result: `p=99`."""
    match result:
        case {"metric": {"labels": list(labels)}}:
            return ",".join(f"{one.get('key')}={one.get('value')}" for one in labels if isinstance(one, dict))
    return ""


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
        case {"results": None} | {"values": None} | {"values": {"values": None}}:
            return ()
        case {"results": list(results)}:
            return _joined(one.get("values") for one in results if isinstance(one, dict))
        case {"values": {"values": list(values)}}:
            return _joined([values])
        case []:
            return ()
        case [{"values": {"values": list()}}, *_]:
            return _joined(values for one in field for values in _lists(one))
    return tuple(_marked(field)) or None  # under other names: an author may use aliases


def _lists(one: object) -> Iterator[list[Any]]:
    match one:
        case {"values": {"values": list(values)}}:
            yield values


def _joined(lists: Iterator[Any] | Sequence[Any]) -> tuple[Bucket, ...] | None:
    """Buckets of all lists; None if nothing in them says whether it is present."""
    buckets: list[Bucket] = []
    for values in lists:
        for value in values if isinstance(values, list) else ():
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


def expression_error(what: str, words: str) -> ProviderError:
    """What MQE's error beside its data means. Its storage's failure comes that way too, with HTTP 200."""
    if "Internal IO exception" in words:
        return BackendAway(f"the storage of the backend is down: {what}: {words}")
    return ProviderError(Reason.QUERY_INVALID, f"{what}: {words}")


def number_text(number: Number) -> str:
    """A number as a person reads it: six significant digits at most after the point, no exponent for what is usual."""
    if abs(number) >= _PLAIN:
        return str(number)[:24] + ("…" if len(str(number)) > 24 else "")
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
            Reason.OAP_RESPONSE_INVALID,
            f"{expression}: OAP writes numbers with a comma ({text}), so that parts of them are lost",
            "start the OAP with -Duser.language=en",
        )
    raise ProviderError(
        Reason.OAP_RESPONSE_INVALID,
        f"{expression}: OAP answered {str(text)[:20]!r}, which is no number",
        "x/0 is ∞, 0/0 is NaN",
    )


def _bucket(value: object) -> Bucket:
    if isinstance(value, str):
        return (float(value) if "." in value else int(value)) if _DECIMAL.fullmatch(value) else value
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
