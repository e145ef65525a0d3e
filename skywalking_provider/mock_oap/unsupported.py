"""Parts of OAP's query protocol that the mock does not support. It rejects them in its own name, not as OAP would.

Names that the imitated OAP version lacks, too, are not in here: OAP's own error is the right response to those.
Source: the `query-protocol` files in OAP's jars of each version, and the OAL files of its distribution.
"""

import re
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)

from skywalking_provider.mock_oap.versions import OapVersion

_HINT: Final = "Use a real OAP, or see Fidelity in docs/mock-oap.md for what it supports"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SINCE_9_2: Final = _names(
    """
    getAllEndpointTopN getAllServiceInstanceTopN getEndpointTopN getServiceInstanceTopN getServiceTopN
    getAlarmTrend queryBrowserErrorLogs
    analysisEBPFProfilingResult queryEBPFProfilingSchedules queryEBPFProfilingTasks
    queryPrepareCreateEBPFProfilingTaskData
    queryLogTagAutocompleteKeys queryLogTagAutocompleteValues supportQueryLogsByKeywords test
    estimateProcessScale getEndpointInfo getProcess listProcesses
    getAllBrowserServices getAllDatabases searchBrowserService searchBrowserServices searchEndpoint searchService
    getLinearIntValues getMultipleLinearIntValues getSubsetOfMultipleLinearIntValues getThermodynamic getValues
    readHeatMap readSampledRecords listContainers ondemandPodLogs
    getProfileTaskList getProfileTaskLogs getTopNRecords
    getEndpointDependencies getEndpointTopology getGlobalTopology getProcessTopology getServiceInstanceTopology
    getServiceTopology getServicesTopology
    queryTraceTagAutocompleteKeys queryTraceTagAutocompleteValues
    getAllTemplates getTemplate
    """
)
_SINCE_9_6: Final = _names(
    """
    queryContinuousProfilingMonitoringInstances queryContinuousProfilingServiceTargets
    getProfileTaskSegments getSegmentsProfileAnalyze readRecords getMenuItems
    """
)
_SINCE_10_1: Final = _names(
    """
    queryAlarmTagAutocompleteKeys queryAlarmTagAutocompleteValues
    getInstanceHierarchy getServiceHierarchy listLayerLevels
    """
)
_SINCE_10_4: Final = _names(
    """
    queryAsyncProfilerAnalyze queryAsyncProfilerTaskList queryAsyncProfilerTaskProgress
    queryPprofAnalyze queryPprofTaskList queryPprofTaskProgress
    """
)
UNSUPPORTED_QUERIES: Final = {
    "9.2.0": _SINCE_9_2 | {"getProfileAnalyze", "getProfileTaskSegmentList", "getProfiledSegment"},
    "9.6.0": _SINCE_9_2 | _SINCE_9_6,
    "10.1.0": _SINCE_9_2 | _SINCE_9_6 | _SINCE_10_1,
    "10.4.0": (_SINCE_9_2 | _SINCE_9_6 | _SINCE_10_1 | _SINCE_10_4) - {"getAlarmTrend"},
}
"""Fields of `Query` in the schema of each OAP version that the mock has no resolver for."""

_DEBUGGING_SINCE: Final = ("10.1.0", "10.4.0")
_DEBUGGING: Final = frozenset({"debuggingTrace", "debug", "dumpDBRsp"})
"""A field and two arguments of `execExpression` in 10.1: OAP's own trace of a query."""

UNSUPPORTED_FUNCTIONS: Final = {
    "9.6.0": frozenset[str](),
    "10.1.0": frozenset({"sort_values", "sort_label_values"}),
    "10.4.0": frozenset({"sort_values", "sort_label_values", "top_n_of", "baseline"}),
}
"""Functions of expressions by version."""

_UNSUPPORTED_METRICS: Final = re.compile(
    r"all_(percentile|heatmap)|top_n_(database|cache)_\w+"
    r"|(service|endpoint)_mq_consume_(count|latency)|mq_(service|endpoint)_\w+|cache_(read|write)_\w+"
    r"|endpoint_relation_\w+|process_relation_\w+"
    r"|(service|service_instance|service_relation|service_instance_relation)(_\w+)?_throughput_(received|sent)"
    r"|service_sidecar_internal_resp_latency_nanos"
    r"|instance_(jvm|clr|golang)_\w+|browser_app_\w+|kubernetes_service_\w+|cilium_\w+|tcp_\w+|meter_\w+"
)
"""Names of metrics that OAP has with the agents, receivers or OAL files that come with it."""


class UnsupportedError(Exception):
    """A request that OAP understands and the mock does not. Its message names the mock.

    Args:
        what: The unsupported part, such as "the query readHeatMap".
        detail: A further sentence before the hint; may be empty.
    """

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(f"mock-oap: {what} is not supported by the mock. {detail}{_HINT}.")


def reject_unsupported_document(schema: GraphQLSchema, document: DocumentNode, oap_version: OapVersion) -> None:
    """Check that a document has no part that the OAP version supports and the mock does not.

    Raises:
        UnsupportedError: The document has such a part.
    """
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode) and node.operation is OperationType.MUTATION:
            raise UnsupportedError("a mutation")
    types = TypeInfo(schema)
    debugging = _DEBUGGING if oap_version.version in _DEBUGGING_SINCE else frozenset()
    queries = UNSUPPORTED_QUERIES[oap_version.version]

    class _Rejector(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            name, parent = node.name.value, types.get_parent_type()
            if parent is schema.query_type and name in queries:
                raise UnsupportedError(f"the query {name}")
            for one in (name, *(argument.name.value for argument in node.arguments or ())):
                if one in debugging:
                    raise UnsupportedError(one)

    visit(document, TypeInfoVisitor(types, _Rejector()))


def reject_unsupported_metric(name: str) -> None:
    """Check that a metric is not one of OAP's that the mock lacks.

    Raises:
        UnsupportedError: The mock lacks the metric.
    """
    if _UNSUPPORTED_METRICS.fullmatch(name):
        raise UnsupportedError(f"the metric {name}")
