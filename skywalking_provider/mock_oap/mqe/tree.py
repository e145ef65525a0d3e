"""The parts of an expression. `text` is the source without its spaces, as OAP quotes it in errors."""

from dataclasses import dataclass

from skywalking_provider.mock_oap.mqe.values import Label


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by name, with the labels it is narrowed to."""

    name: str
    labels: tuple[Label, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic or comparison of two expressions."""

    sign: str
    left: "Node"
    right: "Node"
    text: str


@dataclass(frozen=True, slots=True)
class Aggregate:
    """avg, count, latest, max, min, sum over the values of each row."""

    function: str
    of: "Node"
    text: str


@dataclass(frozen=True, slots=True)
class Mathematics:
    """abs, ceil, floor, and round with a number of digits."""

    function: str
    of: "Node"
    digits: int
    text: str


@dataclass(frozen=True, slots=True)
class Trend:
    """increase and rate over so many steps."""

    function: str
    of: Metric
    steps: int
    text: str


@dataclass(frozen=True, slots=True)
class Choose:
    """view_as_seq and is_present over several expressions."""

    function: str
    of: tuple["Node", ...]
    text: str


@dataclass(frozen=True, slots=True)
class TopN:
    """The entities with the highest or lowest values."""

    of: Metric
    count: int
    descending: bool
    text: str


@dataclass(frozen=True, slots=True)
class Relabel:
    """Other labels for some; `new` is None in the first generation, which only has one label to give values to."""

    of: "Node"
    old: Label
    new: Label | None
    text: str


@dataclass(frozen=True, slots=True)
class AggregateLabels:
    """One row out of several, by labels to keep."""

    of: "Node"
    function: str
    keep: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class SortValues:
    """The values of each row in order, the first of them."""

    of: "Node"
    limit: int | None
    descending: bool
    text: str


@dataclass(frozen=True, slots=True)
class SortLabels:
    """The rows in the order of their labels."""

    of: "Node"
    descending: bool
    names: tuple[str, ...]
    text: str


Node = (
    Scalar
    | Metric
    | Binary
    | Aggregate
    | Mathematics
    | Trend
    | Choose
    | TopN
    | Relabel
    | AggregateLabels
    | SortValues
    | SortLabels
)
