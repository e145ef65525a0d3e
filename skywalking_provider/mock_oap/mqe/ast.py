"""The parts of an expression. `text` is the source without its spaces, as OAP quotes it in errors."""

from dataclasses import dataclass

from skywalking_provider.mock_oap.mqe.result import Label


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class MetricNode:
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
    operand: "Node"
    text: str


@dataclass(frozen=True, slots=True)
class Mathematics:
    """abs, ceil, floor, and round with a number of digits."""

    function: str
    operand: "Node"
    digits: int
    text: str


@dataclass(frozen=True, slots=True)
class Trend:
    """increase and rate over so many steps."""

    function: str
    metric: MetricNode
    steps: int
    text: str


@dataclass(frozen=True, slots=True)
class FirstPresent:
    """view_as_seq and is_present over several expressions."""

    function: str
    operands: tuple["Node", ...]
    text: str


@dataclass(frozen=True, slots=True)
class TopN:
    """The entities with the highest or lowest values."""

    metric: MetricNode
    count: int
    descending: bool
    text: str


@dataclass(frozen=True, slots=True)
class Relabel:
    """Other labels for some; `new` is None in the first generation, which only has one label to give values to."""

    operand: "Node"
    old: Label
    new: Label | None
    text: str


@dataclass(frozen=True, slots=True)
class AggregateLabels:
    """One row out of several, by labels to keep."""

    operand: "Node"
    function: str
    label_names: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class SortValues:
    """The values of each row in order, the first of them."""

    operand: "Node"
    limit: int | None
    descending: bool
    text: str


@dataclass(frozen=True, slots=True)
class SortLabels:
    """The rows in the order of their labels."""

    operand: "Node"
    descending: bool
    names: tuple[str, ...]
    text: str


Node = (
    Scalar
    | MetricNode
    | Binary
    | Aggregate
    | Mathematics
    | Trend
    | FirstPresent
    | TopN
    | Relabel
    | AggregateLabels
    | SortValues
    | SortLabels
)
