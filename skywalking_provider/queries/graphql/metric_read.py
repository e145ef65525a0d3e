"""Query as it is sent: the author's reads, and the aliases of those that the rewrite added to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from skywalking_provider.queries.graphql.response_shape import Field

SERIES, LABELED = "readMetricsValues", "readLabeledMetricsValues"
SINGLE, NULLABLE = "readMetricsValue", "readNullableMetricsValue"
CALLS_SUFFIX = "cpm"
_BYTES_PER_FIELD = 128


@dataclass(frozen=True, slots=True)
class MetricRead:
    """A read of the author's query.

    Attributes:
        kind: Name of the field in OAP's schema.
        expected_shape: Shape of the response to the author's selection.
        metric: Name of the metric; None if it is not a literal, and for an expression.
        presence_alias: Alias of the added read of the same metric.
        calls_alias: Alias of the added read of the entity's calls.
        presence_known: Whether the added reads show which buckets are absent.
        labels: Labels that the read requests, in the order of OAP's response; empty for all.
        label_reads: Aliases of the added reads of all labels of the metrics whose labels an expression selects.
        selected_labels: Labels that an expression selects: metric, key and value.
        expression: Text of an expression; empty if it is not a literal.
    """

    kind: str
    expected_shape: Field
    metric: str | None = None
    presence_alias: str | None = None
    calls_alias: str | None = None
    presence_known: bool = True
    labels: tuple[str, ...] = ()
    label_reads: Mapping[str, str] = field(default_factory=dict)
    selected_labels: tuple[tuple[str, str, str], ...] = ()
    expression: str = ""

    @property
    def single(self) -> bool:
        """Whether the read returns one value for the whole window."""
        return self.kind in (SINGLE, NULLABLE)

    @property
    def labeled(self) -> bool:
        """Whether the read returns a list of series by label."""
        return self.kind == LABELED

    @property
    def counts_calls(self) -> bool:
        """Whether the metric counts calls. Its zeros are values: an idle minute has zero calls."""
        return self.metric is not None and self.metric.endswith(f"_{CALLS_SUFFIX}")


@dataclass(frozen=True, slots=True)
class RewrittenQuery:
    """A query as it is sent.

    Attributes:
        text: GraphQL with the added reads.
        reads: V2 reads of the author by response name.
        expressions: MQE reads of the author by response name.
        added_errors: Response names of the expressions whose `error` was added to the selection.
        fields: Number of fields that the author's reads select.
    """

    text: str
    reads: Mapping[str, MetricRead] = field(default_factory=dict)
    expressions: Mapping[str, MetricRead] = field(default_factory=dict)
    added_errors: frozenset[str] = frozenset()
    fields: int = 0

    @property
    def added_aliases(self) -> frozenset[str]:
        """Aliases of the added reads."""
        aliases = {alias for read in self.reads.values() for alias in (read.presence_alias, read.calls_alias)}
        labels = {alias for read in self.expressions.values() for alias in read.label_reads.values()}
        return frozenset(alias for alias in aliases | labels if alias is not None)

    @property
    def size(self) -> int:
        """Approximate memory in bytes."""
        return len(self.text) + _BYTES_PER_FIELD * self.fields
