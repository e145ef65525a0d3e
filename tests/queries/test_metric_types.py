"""Reads of a metric by another type than it has, and unknown functions and rankings of expressions."""

import pytest

from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Measurement, Phase
from skywalking_provider.oap.api.inventory import MetricType, parse_metrics
from skywalking_provider.queries.functions import suggest_functions
from skywalking_provider.queries.graphql.metric_types import check_metric_types
from skywalking_provider.queries.graphql.rewrite import add_presence_reads
from tests.analysis.harness import CANARY, VERSIONS, Harness, HarnessFactory, measure

VALUES = "{ values { values { value } } }"


def read(kind: str, metric: str, selection: str = VALUES, labels: str = "") -> str:
    return f"""query q($duration: Duration!) {{
      v: {kind}(condition: {{name: "{metric}", entity: {{scope: Service, serviceName: "{CANARY}", normal: true}}}},
        {labels} duration: $duration) {selection}
    }}"""


LABELED_AS_PLAIN = [
    read("readMetricsValues", "service_percentile"),
    read("readMetricsValue", "service_percentile", ""),
]
PLAIN_AS_LABELED = [
    read("readLabeledMetricsValues", "service_cpm", labels="labels: [],"),
    read("readLabeledMetricsValues", "service_sla", labels='labels: ["0"],'),
]
HINTS = {
    True: "has labels, which {kind} does not read. Read it with readLabeledMetricsValues, or a percentile",
    False: "has no labels, which {kind} does not read. Read it with readMetricsValues",
}


@pytest.mark.parametrize("keys", [{}, {"compatibility": "argo"}], ids=["rewritten", "verbatim"])
@pytest.mark.parametrize("query", LABELED_AS_PLAIN + PLAIN_AS_LABELED)
@pytest.mark.parametrize("version", VERSIONS)
async def test_read_of_another_type_is_query_invalid_with_the_right_read(
    harness: HarnessFactory, version: str, query: str, keys: dict[str, str]
) -> None:
    async with harness("failing-canary", version=version) as b:
        measurement = await b.run("true", query=query, **keys)

    if keys and query in PLAIN_AS_LABELED:
        return  # a verbatim query has OAP's zeros, and OAP does not reject it
    assert measurement.phase is Phase.ERROR, measurement.message
    kind = query.split("v: ")[1].split("(", maxsplit=1)[0]
    assert HINTS[query in LABELED_AS_PLAIN].format(kind=kind) in measurement.message


async def test_read_of_another_type_is_not_sent_once_the_types_are_known(harness: HarnessFactory) -> None:
    def reads(b: Harness) -> int:
        return sum("service_percentile" in one.body for one in b.oap.requests)

    async with harness("failing-canary") as b:
        first = await b.run("true", query=LABELED_AS_PLAIN[0])
        sent = reads(b)
        second = await b.run("true", query=LABELED_AS_PLAIN[0])

        assert (sent, reads(b)) == (1, 1)
    assert first.message == second.message


@pytest.mark.parametrize("query", LABELED_AS_PLAIN)
def test_labeled_metric_that_is_read_as_a_number_is_rejected(query: str) -> None:
    reads = add_presence_reads(query, nullable=True).reads

    with pytest.raises(ProviderError, match="v: service_percentile has labels, which readMetricsValue"):
        check_metric_types(reads, {"service_percentile": MetricType.LABELED})
    check_metric_types(reads, {})
    check_metric_types(reads, {"service_percentile": MetricType.REGULAR})


@pytest.mark.parametrize(
    ("kind", "hint"), [(MetricType.HEATMAP, "is a heat map"), (MetricType.RECORD, "is a list of records")]
)
def test_metric_without_numbers_is_rejected(kind: MetricType, hint: str) -> None:
    with pytest.raises(ProviderError, match=f"v: m {hint}, which readMetricsValues does not read. Read it with read"):
        check_metric_types(add_presence_reads(read("readMetricsValues", "m"), nullable=True).reads, {"m": kind})


def test_unknown_type_of_a_metric_is_left_out() -> None:
    listed = [
        {"name": "a", "type": "REGULAR_VALUE", "catalog": "SERVICE"},
        {"name": "b", "type": "NEW", "catalog": None},
    ]

    metrics = parse_metrics({"metrics": [*listed, {"name": "c", "catalog": "ENDPOINT"}]})

    assert metrics.types == {"a": MetricType.REGULAR}
    assert metrics.catalogs == {"a": "SERVICE", "b": "", "c": "ENDPOINT"}


async def run_both(b: Harness, text: str) -> list[Measurement]:
    query = f"""query q($duration: Duration!) {{
      e: execExpression(expression: "{text}", entity: {{serviceName: "{CANARY}", normal: true}}, duration: $duration) {{
        results {{ values {{ value }} }} }}
    }}"""
    return [await measure(b, expression=text, service=CANARY), await b.run("true", query=query)]


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
@pytest.mark.parametrize(
    "text", ["top_n(service_cpm,3,des)", "top_n(service_sla, 1, asc)", "avg(top_n(service_cpm,3,des))"]
)
async def test_ranking_of_services_below_one_service_names_the_cause(
    harness: HarnessFactory, version: str, text: str
) -> None:
    async with harness("failing-canary", version=version) as b:
        measurements = await run_both(b, text)

    for measurement in measurements:
        assert measurement.phase is Phase.ERROR, measurement.message
        assert "top_n ranks services by service_" in measurement.message
        assert "there are none below one service. Rank its instances or endpoints" in measurement.message


UNKNOWN_FUNCTIONS = [
    ("relabel(service_percentile{p='50'},p='50',q='x')", "10.1.0", "Write relabels: relabel is not a function."),
    ("top_n_of(top_n(service_instance_cpm,3,des),3,des)", "10.1.0", "The function top_n_of needs OAP 10.2 or newer."),
    ("top_n_of(top_n(service_instance_cpm,3,des),3,des)", "9.6.0", "The function top_n_of needs OAP 10.2 or newer."),
    ("baseline(service_cpm,upper)", "10.1.0", "The function baseline needs OAP 10.2 or newer."),
    ("increase(service_cpm,2)", "9.6.0", "The function increase needs OAP 9.7 or newer."),
    ("is_present(service_cpm)", "9.6.0", "The function is_present needs OAP 10.0 or newer."),
    ("service_cpm > 1 && service_sla > 1", "10.1.0", "The operator && needs OAP 10.2 or newer."),
    ("service_cpm > 1 || service_sla > 1", "9.6.0", "The operator || needs OAP 10.2 or newer."),
    ("averge(service_cpm)", "10.1.0", "Did you mean avg?"),
]


@pytest.mark.parametrize(("text", "version", "hint"), UNKNOWN_FUNCTIONS)
async def test_unknown_function_has_its_version_or_its_name_in_both_forms_of_the_block(
    harness: HarnessFactory, text: str, version: str, hint: str
) -> None:
    async with harness("failing-canary", version=version) as b:
        measurements = await run_both(b, text)

    for measurement in measurements:
        assert measurement.phase is Phase.ERROR, measurement.message
        assert measurement.message.endswith(hint)


def test_function_that_the_oap_knows_has_no_hint() -> None:
    assert suggest_functions("avg(service_cmp)", "Metric: [service_cmp] does not exist.", {"service_cpm": ""}) == ""
