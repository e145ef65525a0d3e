"""Labels that a read requests and the OAP does not know. OAP returns zeros, absent values or nothing for them."""

from typing import Any

import pytest

from skywalking_provider.block.expression_syntax import extract_labels
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.mock_oap.scenario import Scenario, ScenarioService, Traffic
from skywalking_provider.model import Phase
from skywalking_provider.oap.api.percentile_labels import Label, is_percentile, mqe_label_hint, v2_label_hint
from skywalking_provider.queries.labels import check_selected_labels, check_v2_labels, labeled_metrics, parse_v2_label
from tests.analysis.harness import CANARY, VANILLA, VERSIONS, HarnessFactory, measure

BY_POSITION = "OAP before 10 labels p50, p75, p90, p95 and p99 with 0 to 4"
BY_RANK = "the labels of OAP 10 and newer are p='50', '75', '90', '95' and '99'"
ALL_LABELS = 'Write labels: []: OAP 10 and newer return series only for all labels, which are "{p=50}", "{p=75}"'
POSITIONS: frozenset[Label] = frozenset(("_", str(at)) for at in range(5))
RANKS: frozenset[Label] = frozenset(("p", rank) for rank in ("50", "75", "90", "95", "99"))


def labeled(labels: str, selection: str = "label values { values { value } }") -> str:
    return f"""query q($duration: Duration!) {{
      p: readLabeledMetricsValues(condition: {{name: "service_percentile", entity: {{scope: Service,
        serviceName: "{CANARY}", normal: true}}}}, labels: {labels}, duration: $duration) {{ {selection} }}
    }}"""


def expression_query(text: str) -> str:
    return f"""query q($duration: Duration!) {{
      e: execExpression(expression: "{text}", entity: {{serviceName: "{CANARY}", normal: true}}, duration: $duration) {{
        results {{ values {{ value }} }} }}
    }}"""


UNKNOWN_V2_LABELS = [
    ('["99"]', "'99'"),
    ('["P99"]', "'P99'"),
    ('["{p=99}"]', "'{p=99}'"),
    ('["4", "99"]', "'99'"),  # a right and a wrong one
    ('["0", "1", "2", "3", "4", "5"]', "'5'"),
    ('"p99"', "'p99'"),  # GraphQL takes one item for a list
]


@pytest.mark.parametrize(("labels", "unknown"), UNKNOWN_V2_LABELS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_labeled_read_of_an_unknown_label_is_query_invalid_with_the_known_labels(
    harness: HarnessFactory, labels: str, unknown: str, version: str
) -> None:
    async with harness("failing-canary", version=version) as b:
        measurement = await b.run("true", query=labeled(labels))

    assert measurement.phase is Phase.ERROR, measurement.message
    if version == "10.1.0":  # which knows no label by its position either
        assert measurement.message.startswith("QUERY_INVALID p: service_percentile has no label '")
        assert unknown in measurement.message or unknown == "'5'"  # the first five are listed
        assert ALL_LABELS in measurement.message
    else:
        assert measurement.message.startswith(
            f"QUERY_INVALID p: service_percentile has no label {unknown}. Write labels"
        )
        assert BY_POSITION in measurement.message


@pytest.mark.parametrize(
    ("labels", "default"),
    [
        ("$labels", '$labels: [String!]! = ["50", "75", "90", "95", "99"]'),
        ("$labels", '$labels: [String!]! = "99"'),
        ('["4", $label]', '$label: String! = "99"'),
    ],
)
async def test_unknown_label_in_the_default_of_a_variable_is_query_invalid(
    harness: HarnessFactory, labels: str, default: str
) -> None:
    query = labeled(labels).replace("$duration: Duration!", f"$duration: Duration!, {default}")
    async with harness("failing-canary", version="9.2.0") as b:
        measurement = await b.run("true", query=query)

    assert measurement.phase is Phase.ERROR, measurement.message
    assert "service_percentile has no label" in measurement.message
    assert "'99'. Write labels: [" in measurement.message


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0"])
@pytest.mark.parametrize("selection", ["label values { values { value } }", "values { values { n: value } }"])
async def test_labels_in_another_order_have_the_series_that_oap_returns(
    harness: HarnessFactory, version: str, selection: str
) -> None:
    """OAP returns the series in the order of the labels, without duplicates."""
    async with harness("failing-canary", version=version) as b:
        measurement = await b.run("true", query=labeled('["4", "0", "4"]', selection))

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert measurement.value.index("180") < measurement.value.index("1200")
    assert measurement.value.count("1200") == 3


UNKNOWN_MQE_LABELS = [
    ("service_percentile{_='4'}", "_='4'", "Write {p='99'}"),
    ("service_percentile{_='0,1,2,3,4'}", "_='0', _='1'", "Write {p='50,75,90,95,99'}"),
    ("service_percentile{p='P99'}", "p='P99'", "Write {p='99'}"),
    ("service_percentile{label='99'}", "label='99'", "Write {p='99'}"),
    ("avg(service_percentile{p='4'})", "p='4'", "Write {p='99'}"),
    ("service_percentile{p='99,42'}", "p='42'", "Write {p='99'}"),  # a right and a wrong one
    ("aggregate_labels(service_percentile{p='99,P95'},max)", "p='P95'", "Write {p='95'}"),
    ("service_percentile{p='p50'} + service_cpm", "p='p50'", "Write {p='50'}"),
]


@pytest.mark.parametrize(("text", "unknown", "hint"), UNKNOWN_MQE_LABELS)
async def test_expression_with_an_unknown_label_is_query_invalid_in_both_forms_of_the_block(
    harness: HarnessFactory, text: str, unknown: str, hint: str
) -> None:
    async with harness("failing-canary") as b:
        expression = await measure(b, expression=text, service=CANARY)
        query = await b.run("true", query=expression_query(text))

    for name, measurement in ((text, expression), ("e", query)):
        assert measurement.phase is Phase.ERROR, measurement.message
        assert measurement.message.startswith(f"QUERY_INVALID {name}: service_percentile has no label {unknown}")
        assert f"{hint}: {BY_RANK}" in measurement.message


@pytest.mark.parametrize("text", ["service_percentile{_='7'}", "service_percentile{_='4,7'}"])
async def test_unknown_position_in_an_expression_is_query_invalid_on_oap_9(harness: HarnessFactory, text: str) -> None:
    async with harness("failing-canary", version="9.6.0") as b:
        expression = await measure(b, expression=text, service=CANARY)
        query = await b.run("true", query=expression_query(text))

    for measurement in (expression, query):
        assert "service_percentile has no label _='7'. Write {_='4'} for p99: " + BY_POSITION in measurement.message


@pytest.mark.parametrize("text", ["service_percentile{p='99'}", "avg(service_percentile{p='99'})"])
async def test_label_by_rank_on_oap_9_has_the_positions_in_both_forms_of_the_block(
    harness: HarnessFactory, text: str
) -> None:
    async with harness("failing-canary", version="9.6.0") as b:
        expression = await measure(b, expression=text, service=CANARY)
        query = await b.run("true", query=expression_query(text))

    for measurement in (expression, query):
        assert measurement.phase is Phase.ERROR
        assert "mismatched input 'p' expecting {'_', '}'}" in measurement.message
        assert "Write {_='4'} for p99: " + BY_POSITION in measurement.message


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("service_percentile{_='4'}", "9.6.0"),
        ("service_percentile{p='99'}", "10.1.0"),
        ("service_cpm{p='9'}", "10.1.0"),
    ],
)
async def test_known_labels_are_judged(harness: HarnessFactory, text: str, version: str) -> None:
    """A label of a metric without labels has no effect in OAP 10."""
    async with harness("failing-canary", version=version) as b:
        expression = await measure(b, expression=text, service=CANARY)
        query = await b.run("true", query=expression_query(text))

    assert (expression.phase, query.phase) == (Phase.SUCCESSFUL, Phase.SUCCESSFUL), (expression, query)
    assert "swp_" not in query.value


@pytest.mark.parametrize("version", VERSIONS)
async def test_unknown_label_without_any_data_waits(harness: HarnessFactory, version: str) -> None:
    """Without data the labels of the metric are unknown, too."""
    idle = ScenarioService(name=CANARY, traffic=(Traffic(calls=0),))
    async with harness(Scenario(services=(idle,)), version=version) as b:
        measurement = await b.run("true", query=labeled('["99"]'))

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("NO_DATA no value of p in ")


FAST = Scenario(services=(ScenarioService(name=VANILLA, traffic=(Traffic(calls=60, latencies=(0, 0)),)),))
FAST_QUERY = labeled("[]").replace(CANARY, VANILLA)


async def test_percentiles_of_zero_are_not_judged_on_an_oap_that_writes_zero_for_absent_ones(
    harness: HarnessFactory,
) -> None:
    async with harness(FAST, version="9.2.0") as b:
        query = await b.run("true", query=FAST_QUERY, maxWait="0")
        latency = await measure(b, sli="latency", percentile=99, service=VANILLA, maxWait="0")

    assert query.message.startswith("NO_DATA no value of p 0, p 1, p 2 in ")
    assert "OAP before 9.5 writes 0 for percentiles below 10 ms and for absent ones" in query.message
    assert latency.message.startswith("NO_DATA ")


async def test_percentiles_of_zero_are_judged_on_an_oap_that_marks_absent_ones(harness: HarnessFactory) -> None:
    async with harness(FAST, version="9.6.0") as b:
        measurement = await b.run("true", query=FAST_QUERY, maxWait="0")

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message


async def test_percentile_of_zero_beside_a_higher_one_is_judged_on_every_oap(harness: HarnessFactory) -> None:
    """OAP computes the percentiles of a bucket together, so that the higher one shows that the bucket has them."""
    traffic = (Traffic(calls=60, latencies=(0, 500)),)
    async with harness(Scenario(services=(ScenarioService(name=VANILLA, traffic=traffic),)), version="9.2.0") as b:
        measurement = await b.run("true", query=FAST_QUERY.replace("[]", '["0"]'), maxWait="0")

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert '"value":0' in measurement.value.replace(" ", "")


@pytest.mark.parametrize(
    ("metric", "labels", "percentile"),
    [
        ("service_percentile", POSITIONS, True),
        ("service_percentile", RANKS, True),
        ("meter_latency", RANKS, True),
        ("meter_partition_lag", POSITIONS, False),
        ("meter_status", {("status", "200")}, False),
        ("meter_percentile", {("p", "50"), ("instance", "a")}, False),
    ],
)
def test_percentiles_are_recognised_by_their_labels(metric: str, labels: set[Label], *, percentile: bool) -> None:
    assert is_percentile(metric, labels) is percentile


def test_label_that_may_appear_later_is_a_cause_and_no_error() -> None:
    known = {("_", "200"), ("_", "404")}

    assert check_v2_labels("p", "meter_status", ("500",), known) == (
        "p: meter_status has no label '500' in these minutes, but _='200', _='404'"
    )
    assert check_selected_labels("e", [("m", "code", "500"), ("m", "code", "200")], {"m": {("code", "200")}}) == (
        "e: m has no label code='500' in these minutes, but code='200'"
    )
    assert check_selected_labels("e", [("m", "c", "5"), ("n", "d", "6")], {"m": {("c", "2")}, "n": {("d", "2")}}) == (
        "e: m has no label c='5' in these minutes, but c='2'; e: n has no label d='6' in these minutes, but d='2'"
    )
    assert check_v2_labels("p", "meter_status", ("500", "501"), known).startswith(
        "p: meter_status has no label '500', '501' in these minutes"
    )
    assert check_v2_labels("p", "meter_status", ("200",), known) == ""
    assert check_v2_labels("p", "meter_status", ("500",), ()) == ""
    assert check_selected_labels("e", [("m", "code", "500")], {"m": frozenset()}) == ""


def test_labels_are_read_of_the_first_four_metrics() -> None:
    selected = [(metric, "p", rank) for metric in ("a", "", "b", "c", "d", "e") for rank in ("50", "99")]

    assert labeled_metrics(selected) == ("a", "b", "c", "d")


def test_cause_has_the_first_five_labels_of_the_metric() -> None:
    known = [("_", str(number)) for number in range(6)]
    listed = "p: meter_status has no label '9' in these minutes, but _='0', _='1', _='2', _='3', _='4'"

    assert check_v2_labels("p", "meter_status", ("9",), known[:5]) == listed
    assert check_v2_labels("p", "meter_status", ("9",), known) == f"{listed}, …"


def test_error_for_a_percentile_has_the_labels_of_the_oap() -> None:
    with pytest.raises(ProviderError) as caught:
        check_v2_labels("p", "service_percentile", ("4", "p95"), POSITIONS)

    assert caught.value.reason is Reason.QUERY_INVALID
    assert str(caught.value) == (
        f"p: service_percentile has no label 'p95'. Write labels: [\"3\"] for p95: {BY_POSITION}"
    )


@pytest.mark.parametrize(
    ("requested", "by_position", "hint"),
    [
        (["99"], True, "Write {_='4'} for p99"),
        (["0.95", "{p=50}"], True, "Write {_='3,0'} for p95, p50"),
        (["max"], True, "Write {_='4'} for p99"),
        (["4", "P99"], False, "Write {p='99'}"),
        (["1990"], False, "Write {p='99'}"),
    ],
)
def test_hint_translates_labels_of_other_versions(requested: list[str], hint: str, *, by_position: bool) -> None:
    assert mqe_label_hint(requested, by_position=by_position).startswith(f"{hint}: ")


def test_hint_of_a_v2_read_on_oap_10_is_to_read_all_labels() -> None:
    assert v2_label_hint(["99"], by_position=False).startswith("Write labels: []: ")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("service_cpm", []),
        ("m{p='50,99'}", [("m", "p", "50"), ("m", "p", "99")]),
        ("avg(m{ _ = '0' , code = \"200\" }) + n{p='1'}", [("m", "_", "0"), ("m", "code", "200"), ("n", "p", "1")]),
        ("relabels(m{p='99'},p='99',q='x')", [("m", "p", "99")]),
        ("m{}", []),
        ("m{p=''}", []),
    ],
)
def test_labels_of_an_expression_are_those_in_braces(text: str, labels: list[Any]) -> None:
    assert extract_labels(text) == labels


@pytest.mark.parametrize(
    ("label", "labels"),
    [
        ("4", (("_", "4"),)),
        ("{p=99}", (("p", "99"),)),
        ("{p=99,code=200}", (("p", "99"), ("code", "200"))),
        ("{_=4}", (("_", "4"),)),
        ("{query=a=b}", (("query", "a=b"),)),
        ("{p=99", (("_", "{p=99"),)),
        ("p=99}", (("_", "p=99}"),)),
    ],
)
def test_label_of_a_series_has_the_key_that_oap_writes(label: str, labels: tuple[Label, ...]) -> None:
    assert parse_v2_label(label) == labels
