"""Nodes of a parsed expression."""

from dataclasses import dataclass

from skywalking_provider.mock_oap.mqe.result import Label


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class MetricNode:
    """A metric by name, with the labels to select."""

    name: str
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic or comparison of two expressions."""

    sign: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """avg, count, latest, max, min or sum over the values of each row."""

    function: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Mathematics:
    """abs, ceil, floor, or round with a number of digits."""

    function: str
    operand: "Node"
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Trend:
    """increase or rate over a number of steps."""

    function: str
    metric: MetricNode
    steps: int


@dataclass(frozen=True, slots=True)
class FirstPresent:
    """view_as_seq or is_present over several expressions."""

    function: str
    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class TopN:
    """The entities with the highest or lowest values."""

    metric: MetricNode
    count: int
    descending: bool


@dataclass(frozen=True, slots=True)
class AggregateLabels:
    """One row computed from several, grouped by the labels to keep."""

    operand: "Node"
    function: str
    label_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relabel:
    """A replacement of labels. `new` is None in the first generation, which has a single label key."""

    operand: "Node"
    old: Label
    new: Label | None = None


Node = Scalar | MetricNode | Binary | Aggregate | Mathematics | Trend | FirstPresent | TopN | AggregateLabels | Relabel
