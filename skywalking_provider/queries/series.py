"""What an answer holds, read by read: buckets with values, and buckets without. Absent is never zero. Pure."""

from dataclasses import dataclass

from skywalking_provider.oap.api.values import Number

_PLAIN = 10**9

Bucket = Number | str | None
"""One bucket: a number, MQE's text for what is none ("NaN"), or absent."""


@dataclass(frozen=True, slots=True)
class Series:
    """The buckets of one read; `None` where a bucket is absent.

    Attributes:
        name: Name of the series.
        buckets: Values of the buckets.
        counts_calls: Whether the values are numbers of calls, to which the conditions do not apply.
    """

    name: str
    buckets: tuple[Bucket, ...]
    counts_calls: bool = False

    @property
    def present(self) -> tuple[Number | str, ...]:
        """The buckets that have a value."""
        return tuple(bucket for bucket in self.buckets if bucket is not None)


def format_labels(result: object) -> str:
    """The labels of an MQE result: `p=99`."""
    match result:
        case {"metric": {"labels": list(labels)}}:
            return ",".join(f"{one.get('key')}={one.get('value')}" for one in labels if isinstance(one, dict))
    return ""


def format_number(number: Number) -> str:
    """A number as a person reads it: six significant digits at most after the point, no exponent for what is usual."""
    if abs(number) >= _PLAIN:
        return str(number)[:24] + ("…" if len(str(number)) > 24 else "")
    return f"{number:.10g}" if isinstance(number, int) or number.is_integer() else f"{number:.6g}"
