"""Expressions and indicators decoded from the recorded responses of real OAP servers.

The canary had 60 calls per minute with latencies of 80 to 1,200 ms; every tenth failed (see tests/captures).
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.block import ExpressionSpec, IndicatorSpec, parse_block
from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Entity, EntitySet, Window
from skywalking_provider.oap.api.batching import BatchResult
from skywalking_provider.queries import expression
from skywalking_provider.queries.indicators import query
from skywalking_provider.queries.indicators.metric_names import resolve_scope_metrics
from skywalking_provider.queries.indicators.query import IndicatorQuery
from skywalking_provider.queries.indicators.reads import IndicatorMetrics
from skywalking_provider.queries.instance_reads import DayRead

CAPTURES = Path(__file__).parents[1] / "captures"
CANARY = EntitySet((Entity("canary|reviews|bookinfo|cluster-1|-"),), ("MESH",))


def recorded(version: str, case: str) -> Any:
    return json.loads((CAPTURES / version / f"{case}.json").read_text())["data"]["r"]


def recorded_window(version: str, case: str) -> Window:
    """Return the window that a response was recorded for."""
    duration = json.loads((CAPTURES / version / f"{case}.request.json").read_text())["body"]["variables"]["duration"]
    start, end = (datetime.strptime(duration[one], "%Y-%m-%d %H%M").replace(tzinfo=UTC) for one in ("start", "end"))
    return Window(start, end + timedelta(minutes=1))


def parse_keys(**keys: object) -> Any:
    block = {"window": "5m", "service": CANARY.members[0].service} | keys
    return parse_block(json.dumps(block).encode())


# recorded                                        scale  expect
EXPRESSIONS = [
    ("9.6.0", "mqe-cpm", "service_cpm", 1, [60, 60, 60, 60, 60]),
    ("10.1.0", "mqe-cpm", "service_cpm", 1, [60, 60, 60, 60, 60]),
    ("9.6.0", "mqe-sla", "service_sla", 10_000, [0.9] * 5),
    ("10.1.0", "mqe-sla", "service_sla", 10_000, [0.9] * 5),
    ("9.6.0", "mqe-avg", "avg(service_resp_time)", 1, 350),
    ("10.1.0", "mqe-avg", "avg(service_resp_time)", 1, 350),
    ("10.1.0", "mqe-fraction", "a fraction", 1, 8.571),
    ("10.1.0", "mqe-empty-window", "service_cpm", 1, []),
    ("9.6.0", "mqe-empty-window-avg", "avg(service_cpm)", 1, None),
    ("10.1.0", "mqe-empty-window-avg", "avg(service_cpm)", 1, None),
    ("10.1.0", "mqe-top-n", "top_n(service_cpm,3,des)", 1, []),
]


@pytest.mark.parametrize(("version", "case", "text", "scale", "expect"), EXPRESSIONS)
def test_recorded_expression_response_has_the_expected_result(
    version: str, case: str, text: str, scale: float, expect: object
) -> None:
    spec = parse_keys(expression="service_cpm", scale=scale)
    assert isinstance(spec, ExpressionSpec)

    sample = expression.decode_expression(spec, CANARY, recorded_window(version, case), {"e0": recorded(version, case)})

    assert sample.result == expect, text
    assert bool(sample.empty_series) == (expect in ([], None))


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
def test_recorded_percentiles_have_the_same_labels_on_every_oap_version(version: str) -> None:
    spec = parse_keys(expression="service_percentile")

    window, data = recorded_window(version, "mqe-percentile"), {"e0": recorded(version, "mqe-percentile")}
    result = expression.decode_expression(spec, CANARY, window, data).result

    assert {label: values[0] for label, values in result.items()} == {
        "50": 180, "75": 450, "90": 700, "95": 1200, "99": 1200,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("version", "case", "expected"),
    [
        ("9.6.0", "mqe-div0", "'∞', which is not a number"),
        ("10.1.0", "mqe-div0", "'∞', which is not a number"),
        ("10.1.0", "mqe-nan", "'NaN', which is not a number"),
        ("9.6.0", "mqe-unknown-metric", "Metric: [no_such_metric] dose not exist."),
        ("10.1.0", "mqe-unknown-metric", "Metric: [no_such_metric] does not exist."),
    ],
)
def test_recorded_value_that_is_not_a_number_is_an_error_with_oaps_text(version: str, case: str, expected: str) -> None:
    window, data = recorded_window(version, case), {"e0": recorded(version, case)}

    with pytest.raises(ProviderError) as caught:
        expression.decode_expression(parse_keys(expression="service_cpm"), CANARY, window, data)

    assert expected in str(caught.value)


def test_two_series_with_one_label_are_an_error() -> None:
    response = recorded("10.1.0", "mqe-percentile")
    response["results"][1]["metric"]["labels"] = response["results"][0]["metric"]["labels"]

    window = recorded_window("10.1.0", "mqe-percentile")

    with pytest.raises(ProviderError, match="two series have the label '50'\\. Distinguish them with relabels"):
        expression.decode_expression(parse_keys(expression="service_percentile"), CANARY, window, {"e0": response})


def test_percentile_with_two_series_is_an_invalid_response() -> None:
    data = {"c0": recorded("9.2.0", "v2-values-service_cpm"), "v0": recorded("9.2.0", "v2-labeled-percentile")}
    data["v0"][1]["label"] = data["v0"][0]["label"]
    spec = parse_keys(sli="latency", percentile=50)
    assert isinstance(spec, IndicatorSpec)

    with pytest.raises(ProviderError, match="v0 is 2 series of service_percentile"):
        query.decode_indicator(
            IndicatorQuery(spec).indicator,
            IndicatorMetrics("service_percentile", "service_cpm", labeled=True),
            CANARY,
            window := recorded_window("9.2.0", "v2-values-service_cpm"),
            [DayRead(window, BatchResult(data, ()))],
            mqe=False,
        )


SOURCES = {
    "9.2.0": ("v2-values-service_cpm", "v2-values-{}", "v2-labeled-percentile"),
    "9.6.0": ("mqe-cpm", "mqe-{}", "mqe-percentile"),
    "10.1.0": ("mqe-cpm", "mqe-{}", "mqe-percentile"),
}
INDICATORS = [
    ({"sli": "success-rate"}, "service_sla", 0.9),
    ({"sli": "latency"}, "service_resp_time", 350),
    ({"sli": "latency", "percentile": 50}, "service_percentile", 180),
    ({"sli": "latency", "percentile": 99}, "service_percentile", 1200),
    ({"sli": "latency", "percentile": 99, "aggregate": "weighted"}, "service_percentile", 1200),
    ({"sli": "throughput"}, None, 60),
]


@pytest.mark.parametrize("version", SOURCES)
@pytest.mark.parametrize(("block", "metric", "expect"), INDICATORS)
def test_recorded_indicator_response_has_the_expected_result(
    version: str, block: dict[str, Any], metric: str | None, expect: float
) -> None:
    spec = parse_keys(**block)
    assert isinstance(spec, IndicatorSpec)
    calls, value, percentile = SOURCES[version]
    data = {"c0": recorded(version, calls)}
    if metric == "service_percentile":
        data["v0"] = recorded(version, percentile)
    elif metric is not None:
        short = {"service_sla": "sla", "service_resp_time": "resp-time"}[metric]
        data["v0"] = recorded(version, value.format(metric if version == "9.2.0" else short))
    metrics = IndicatorMetrics(metric, resolve_scope_metrics(CANARY).calls[0], labeled=metric == "service_percentile")
    window = recorded_window(version, calls)

    days = [DayRead(window, BatchResult(data, ()))]

    sample = query.decode_indicator(
        IndicatorQuery(spec).indicator, metrics, CANARY, window, days, mqe=version != "9.2.0"
    )

    assert sample.result == pytest.approx(expect)
    assert sample.calls == 60 * window.buckets
    assert sample.buckets_with_data == window.buckets >= 5
