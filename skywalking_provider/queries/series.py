"""Series of buckets. An absent bucket is `None`, never zero."""

from dataclasses import dataclass, field

from skywalking_provider.model import Entity
from skywalking_provider.oap.api.values import Number

_MAX_PLAIN = 10**9

Bucket = Number | str | None
"""Value of one bucket: a number, MQE's text if it is not a number ("NaN"), or None if the bucket is absent."""


@dataclass(frozen=True, slots=True)
class Series:
    """The buckets of one read, or of one label of it.

    Attributes:
        name: Name for messages and charts: the read, followed by its label if it has several.
        buckets: Values by bucket.
        counts_calls: Whether the values are numbers of calls, to which the conditions do not apply.
        read_name: Name of the read.
        entity: Entity of the series; None if the query names it itself.
        ids: Names of the values of a ranking; empty if the values are buckets of time.
    """

    name: str
    buckets: tuple[Bucket, ...]
    counts_calls: bool = False
    read_name: str = field(default="", compare=False)
    entity: Entity | None = None
    ids: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name with the instance, which distinguishes the series of several instances."""
        return f"{self.name} {self.entity.instance}" if self.entity and self.entity.instance else self.name

    @property
    def present(self) -> tuple[Number | str, ...]:
        """Values of the present buckets."""
        return tuple(bucket for bucket in self.buckets if bucket is not None)


def named_series(read_name: str, label: str, buckets: tuple[Bucket, ...]) -> Series:
    """Return a series that is named after its read and, if it has one, its label."""
    return Series(f"{read_name} {label}" if label else read_name, buckets, read_name=read_name)


def format_labels(result: object) -> str:
    """Return the labels of an MQE result as text: `p=99`."""
    match result:
        case {"metric": {"labels": list(labels)}}:
            return ",".join(f"{one.get('key')}={one.get('value')}" for one in labels if isinstance(one, dict))
    return ""


def format_number(number: Number) -> str:
    """Return a number for messages: at most six significant digits of fractions, ten of whole numbers.

    Numbers of 1e9 and more are written out, up to 24 characters.
    """
    if abs(number) >= _MAX_PLAIN:
        return str(number)[:24] + ("…" if len(str(number)) > 24 else "")
    return f"{number:.10g}" if isinstance(number, int) or number.is_integer() else f"{number:.6g}"
