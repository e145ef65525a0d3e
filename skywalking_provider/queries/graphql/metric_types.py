"""Comparison of a query's reads with the types of their metrics.

OAP does not compare them: it fails with an exception of its storage, or returns zeros or nothing.
"""

from collections.abc import Mapping

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.inventory import MetricType
from skywalking_provider.queries.graphql.metric_read import MetricRead

_DESCRIPTIONS: Mapping[MetricType, str] = {
    MetricType.REGULAR: "has no labels",
    MetricType.LABELED: "has labels",
    MetricType.HEATMAP: "is a heat map",
    MetricType.RECORD: "is a list of records",
}
_REMEDIES: Mapping[MetricType, str] = {
    MetricType.REGULAR: "Read it with readMetricsValues",
    MetricType.LABELED: "Read it with readLabeledMetricsValues, or a percentile of the latency with `sli: latency`",
    MetricType.HEATMAP: "Read it with readHeatMap",
    MetricType.RECORD: "Read it with readRecords",
}


def check_metric_types(reads: Mapping[str, MetricRead], types: Mapping[str, MetricType]) -> None:
    """Check that each read returns values of its metric's type. A metric of unknown type is not checked.

    Raises:
        ProviderError: QUERY_INVALID, with the read to use instead.
    """
    for name, read in reads.items():
        expected = MetricType.LABELED if read.labeled else MetricType.REGULAR
        actual = types.get(read.metric or "", expected)
        if actual is not expected:
            raise ProviderError(
                Reason.QUERY_INVALID,
                f"{name}: {read.metric} {_DESCRIPTIONS[actual]}, which {read.kind} does not read",
                _REMEDIES[actual],
            )
