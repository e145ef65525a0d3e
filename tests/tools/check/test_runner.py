"""Tests of one measurement of `check`: it equals the service's own, and its event has all that is printed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import Reason
from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.model import Deadline, Phase, Run
from skywalking_provider.oap import open_backends
from skywalking_provider.tools.check.chart_rows import ChartRow, build_chart_rows
from skywalking_provider.tools.check.recording import open_recording_backends
from skywalking_provider.tools.check.runner import CheckResult, ExitCode, measure, worst_exit_code
from skywalking_provider.tools.check.selection import select_metrics
from skywalking_provider.tools.check.template import parse_templates
from tests.tools.check.harness import (
    CANARY,
    NOON,
    PLUGIN,
    VANILLA,
    build_indicator_metric,
    build_judged_metric,
    build_template,
    start_oap_at_noon,
)

ENTITY = f'{{scope: Service, serviceName: "{CANARY}", normal: true}}'
QUERY = f"""
query q($duration: Duration!) {{
  apdex: readMetricsValues(
    condition: {{name: "service_apdex", entity: {ENTITY} }}, duration: $duration) {{ values {{ values {{ value }} }} }}
  percentiles: readLabeledMetricsValues(
    condition: {{name: "service_percentile", entity: {ENTITY} }}, labels: LABELS, duration: $duration) {{
      label values {{ values {{ value }} }} }}
}}"""


def now() -> datetime:
    return NOON


def build_rows(check_result: CheckResult) -> list[ChartRow]:
    return build_chart_rows(check_result.sample, check_result.window)


async def check(oap: MockOap, *metrics: dict[str, Any], **backend: Any) -> list[CheckResult]:
    named = [one | {"name": f"metric-{at}"} for at, one in enumerate(metrics)] if len(metrics) > 1 else metrics
    targets, _ = select_metrics(parse_templates(build_template(*named), "f"), {}, (), PLUGIN)
    configs = {"prod": BackendConfig.model_validate({"url": oap.address} | backend)}
    async with (
        open_condition_evaluator() as evaluator,
        open_recording_backends(configs, now, any_name=False) as recording,
    ):
        return [await measure(target, recording, evaluator, now) for target in targets]


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0", "10.1.0"])
async def test_measure_equals_measurement_of_service_with_same_requests(version: str) -> None:
    metric = build_indicator_metric(instances={"podTemplateHash": "6c85f7bf4"})
    async with start_oap_at_noon(version=version) as oap:
        (one,) = await check(oap, metric)
        sent = len(oap.requests)
        config = BackendConfig.model_validate({"url": oap.address})
        async with open_condition_evaluator() as evaluator, open_backends({"prod": config}, now) as backends:
            of_service = await Engine(backends, evaluator, now).run(one.target.metric, Run(), Deadline.after(10))
        sent_by_service = len(oap.requests) - sent

    assert one.measurement == of_service
    assert one.reason is Reason.CONDITION_NOT_MET
    assert len(one.exchanges) == sent == sent_by_service
    assert one.result == 0.9


async def test_measure_judged_block_assumes_that_the_run_started_half_an_hour_ago() -> None:
    async with start_oap_at_noon() as oap:
        (one,) = await check(oap, build_judged_metric())

    assert one.reason is Reason.WORSE_THAN_STABLE
    assert one.assumed_start == datetime(2026, 11, 24, 11, 30, 20, tzinfo=UTC)
    assert one.window
    assert (f"{one.window.start:%H:%M}", one.window.buckets) == ("11:31", 28)


async def test_measure_assumes_a_start_on_the_clock_and_in_the_zone_of_the_oap() -> None:
    clock = ManualClock(NOON + timedelta(minutes=7))
    async with MockOap("failing-canary", clock=clock, timezone="+0545") as oap:
        (one,) = await check(oap, build_judged_metric())
        (other,) = await check(oap, build_indicator_metric())

    assert one.assumed_start
    assert one.assumed_start.isoformat() == "2026-11-24T17:22:20+05:45"
    assert other.assumed_start is None


async def test_judged_metric_with_thin_traffic_is_noted_with_the_minutes_that_it_needs() -> None:
    metrics = [
        build_judged_metric(),
        build_judged_metric(maxWait="73m"),
        build_judged_metric() | {"successCondition": "result.canary > 0.9"},
    ]
    async with start_oap_at_noon("judged-thin") as oap:
        thin, patient, by_condition = await check(oap, *metrics)

    assert (thin.reason, thin.minutes_to_fine) == (Reason.UNDECIDED, 73)
    assert thin.notes == (
        (
            "at 6 calls a minute a finding takes about 73 minutes; maxWait is 15m. Give the step more time (maxWait) or"
            " more weight, or write harmful: {ratio: 3, difference: 0.1} below compare"
        ),
    )
    assert patient.notes == ()
    assert not [note for note in by_condition.notes if "a finding takes" in note]


async def test_thin_traffic_of_a_worse_canary_is_not_noted() -> None:
    async with start_oap_at_noon("judged-bad") as oap:
        (one,) = await check(oap, build_judged_metric(maxWait="1m"))

    assert one.reason is Reason.WORSE_THAN_STABLE
    assert one.minutes_to_fine == 5
    assert one.notes == ()


async def test_chart_rows_of_instances_have_times_in_oap_zone() -> None:
    async with start_oap_at_noon(timezone="+0545") as oap:
        (one,) = await check(oap, build_indicator_metric(window="3m", instances={"podTemplateHash": "7d4f9c8b65"}))

    rows = build_rows(one)
    assert [(row.name, row.entity.split(" ")[0]) for row in rows] == [
        (metric, instance)
        for instance in ("reviews-7d4f9c8b65-2xkqz", "reviews-7d4f9c8b65-h6pnw")
        for metric in ("success-rate", "calls")
    ]
    assert [f"{time:%H:%M %z}" for time in rows[0].times] == ["17:41 +0545", "17:42 +0545", "17:43 +0545"]
    assert [row.buckets for row in rows] == [(1.0,) * 3, (120,) * 3, (1.0,) * 3, (120,) * 3]


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0", "10.1.0"])
async def test_chart_rows_absent_minutes_are_none_on_every_oap_version(version: str) -> None:
    async with start_oap_at_noon("idle-minutes", version=version) as oap:
        (one,) = await check(oap, build_indicator_metric(service=CANARY, window="10m", minCalls=0))

    values = {row.name: row.buckets for row in build_rows(one)}["success-rate"]
    assert 0 < values.count(None) < 10
    assert one.sample
    assert one.sample.buckets_with_data == 10 - values.count(None)


async def test_chart_rows_of_expression_with_min_calls_include_the_calls_of_each_minute() -> None:
    block = {"expression": "service_instance_resp_time", "window": "3m", "service": VANILLA, "minCalls": 10**6}
    metric = {"name": "m", "provider": {"plugin": {PLUGIN: block | {"instances": {"name": "reviews-.*"}}}}}
    async with start_oap_at_noon() as oap:
        (one,) = await check(oap, metric)

    rows = build_rows(one)
    assert one.reason is Reason.TOO_FEW_CALLS
    assert [row.name for row in rows] == ["service_instance_resp_time", "calls"] * (len(rows) // 2)
    assert [row.entity for row in rows[::2]] == [row.entity for row in rows[1::2]]
    assert one.sample
    assert sum(sum(row.buckets) for row in rows[1::2]) == one.sample.calls


@pytest.mark.parametrize(
    ("version", "labels", "names"),
    [
        ("9.2.0", '["0", "4"]', ["0", "4"]),
        ("9.6.0", '["0", "4"]', ["0", "4"]),
        ("10.1.0", "[]", [f"{{p={p}}}" for p in (50, 75, 90, 95, 99)]),
    ],
)
async def test_chart_rows_of_graphql_query_include_every_label(version: str, labels: str, names: list[str]) -> None:
    block = {"query": QUERY.replace("LABELS", labels), "interval": "5m"}
    metric = {"name": "m", "provider": {"plugin": {PLUGIN: block}}}
    async with start_oap_at_noon("idle-minutes", version=version) as oap:
        (one,) = await check(oap, metric)

    rows = build_rows(one)
    assert [row.name for row in rows] == ["apdex", *(f"percentiles {name}" for name in names)]
    assert all(len(row.times) == 5 for row in rows)
    assert any(None in row.buckets for row in rows)


async def test_measure_compatibility_argo_reports_window_of_built_in_provider() -> None:
    block = {"query": QUERY.replace("LABELS", "[]"), "interval": "3m", "compatibility": "argo"}
    async with start_oap_at_noon() as oap:
        (one,) = await check(oap, {"name": "m", "provider": {"plugin": {PLUGIN: block}}})

    assert one.window
    assert (one.window.start.astimezone(UTC), one.window.buckets) == (datetime(2026, 11, 24, 11, 57, tzinfo=UTC), 4)
    assert len(build_rows(one)[0].buckets) == 4


async def test_chart_rows_of_rankings_and_single_values_have_no_times() -> None:
    def metric(expression: str) -> dict[str, Any]:
        block = {"expression": expression, "window": "5m", "service": VANILLA}
        return {"name": "m", "provider": {"plugin": {PLUGIN: block}}}

    async with start_oap_at_noon() as oap:
        top, single, labelled = await check(
            oap, metric("top_n(service_instance_cpm,2,des)"), metric("avg(service_sla)"), metric("service_percentile")
        )

    assert [(row.times, len(row.ids), row.buckets) for row in build_rows(top)] == [((), 2, (120, 120))]
    assert [(row.times, row.ids, row.buckets) for row in build_rows(single)] == [((), (), (9800,))]
    assert [row.name for row in build_rows(labelled)][::4] == ["service_percentile 50", "service_percentile 99"]


async def test_measure_conditions_are_evaluated_separately() -> None:
    metric = build_indicator_metric("result > 0.95") | {"failureCondition": "result < 0.99"}
    cel = build_indicator_metric("", conditions={"language": "cel", "success": "result > 0.99", "failure": "nope"})
    async with start_oap_at_noon() as oap:
        both, in_cel = await check(oap, metric, cel)

    assert [(one.kind, one.holds) for one in both.conditions] == [("success", True), ("failure", True)]
    assert both.measurement.phase is Phase.FAILED
    assert [(one.language, one.holds, bool(one.error)) for one in in_cel.conditions] == [
        ("cel", False, False),
        ("cel", None, True),
    ]


async def test_measure_too_few_calls_evaluates_no_condition() -> None:
    async with start_oap_at_noon() as oap:
        (one,) = await check(oap, build_indicator_metric(minCalls=1_000_000, maxWait="0", onNoData="failed"))

    assert one.measurement.phase is Phase.FAILED
    assert one.reason is Reason.TOO_FEW_CALLS
    assert [condition.holds for condition in one.conditions] == [None]
    assert one.result == 0.98  # it was read all the same


async def test_measure_diagnosed_query_error_evaluates_no_condition() -> None:
    query = QUERY.replace("LABELS", "[]").replace("service_apdex", "service_apdx")
    metric = {
        "name": "apdex",
        "successCondition": "true",
        "provider": {"plugin": {PLUGIN: {"query": query, "interval": "3m"}}},
    }
    async with start_oap_at_noon() as oap:
        (one,) = await check(oap, metric)

    assert one.reason is Reason.QUERY_INVALID
    assert [condition.holds for condition in one.conditions] == [None]


async def test_measure_value_too_long_for_argo_is_still_reported() -> None:
    queries = " ".join(
        f'a{at}: readMetricsValues(condition: {{name: "service_apdex", entity: {{scope: Service,'
        f' serviceName: "{CANARY}", normal: true}} }}, duration: $duration) {{ values {{ values {{ value }} }} }}'
        for at in range(40)
    )
    block = {"query": f"query q($duration: Duration!) {{ {queries} }}", "interval": "60m"}
    async with start_oap_at_noon("healthy-canary") as oap:
        (one,) = await check(oap, {"name": "m", "provider": {"plugin": {PLUGIN: block}}})

    assert json.loads(one.measurement.value).startswith("omitted")
    assert isinstance(one.result, dict)


_metric = build_indicator_metric
HASH = {"podTemplateHash": "6c85f7bf4"}
BOTH = build_indicator_metric("result > 0.99") | {"failureCondition": "result < 0.5"}


async def test_measure_internal_error_affects_one_metric_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr("skywalking_provider.queries.indicators.query.decode_indicator", broken)
    async with start_oap_at_noon() as oap:
        (one,) = await check(oap, build_indicator_metric())

    assert (one.reason, one.exit_code) == (Reason.PROVIDER_INTERNAL, 2)
    assert one.sample is None
    assert "service_sla" in one.sample_exchanges[0].request.variables.values()


CASES: list[tuple[str, dict[str, Any], Phase, Reason | None, int]] = [
    ("well", _metric("result > 0.5"), Phase.SUCCESSFUL, None, 0),
    ("failed", _metric("result > 0.99"), Phase.FAILED, Reason.CONDITION_NOT_MET, 1),
    ("neither", BOTH, Phase.INCONCLUSIVE, Reason.NEITHER_CONDITION_MET, 4),
    ("condition", _metric("result.a > 1"), Phase.ERROR, Reason.CONDITION_ERROR, 2),
    ("block", _metric(windo="5m"), Phase.ERROR, Reason.BLOCK_INVALID, 2),
    ("backend", _metric(backend="staging"), Phase.ERROR, Reason.BACKEND_NOT_FOUND, 2),
    ("expression", _metric(sli=None), Phase.ERROR, Reason.BLOCK_INVALID, 2),
    ("entity, waiting", _metric(service="review.bookinfo"), Phase.RUNNING, Reason.ENTITY_NOT_FOUND, 4),
    ("entity, not waiting", _metric(service="review.bookinfo", maxWait="0"), Phase.ERROR, Reason.ENTITY_NOT_FOUND, 2),
    ("calls, waiting", _metric(minCalls=10**6), Phase.RUNNING, Reason.TOO_FEW_CALLS, 4),
    ("calls, not waiting", _metric(minCalls=10**6, maxWait="0"), Phase.INCONCLUSIVE, Reason.TOO_FEW_CALLS, 4),
    ("metric", _metric(sli="apdex", instances=HASH), Phase.ERROR, Reason.METRIC_UNAVAILABLE, 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "phase", "reason", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
async def test_exit_code_of_each_verdict_is_documented_one(
    metric: dict[str, Any], phase: Phase, reason: Reason | None, code: int
) -> None:
    async with start_oap_at_noon() as oap:
        (one,) = await check(oap, metric)

    assert (one.measurement.phase, one.reason, one.exit_code) == (phase, reason, code), one.measurement.message


@pytest.mark.parametrize(
    ("fault", "block", "phase", "reason"),
    [
        ({"kind": "status", "status": 503}, {}, Phase.RUNNING, Reason.OAP_UNAVAILABLE),
        ({"kind": "status", "status": 503}, {"outageGrace": "0"}, Phase.INCONCLUSIVE, Reason.OAP_UNAVAILABLE),
        ({"kind": "html"}, {}, Phase.RUNNING, Reason.OAP_UNAVAILABLE),
        ({"kind": "status", "status": 401}, {}, Phase.ERROR, Reason.OAP_REJECTED),
        ({"kind": "response", "body": '{"data": {}}'}, {}, Phase.ERROR, Reason.OAP_RESPONSE_INVALID),
    ],
)
async def test_measure_oap_fault_has_exit_code_three_and_failed_request(
    fault: dict[str, Any], block: dict[str, Any], phase: Phase, reason: Reason
) -> None:
    async with start_oap_at_noon() as oap:
        oap.add_fault(**fault)
        (one,) = await check(oap, build_indicator_metric(**block))

    assert (one.measurement.phase, one.reason, one.exit_code) == (phase, reason, 3), one.measurement.message
    assert len(one.sample_exchanges) == 1
    if phase is Phase.RUNNING:
        assert one.measurement.resume_at == NOON + timedelta(seconds=5)


def test_worst_exit_code_follows_argo_order_of_phases() -> None:
    assert worst_exit_code([]) == 0
    assert worst_exit_code(map(ExitCode, [0, 4])) == 4
    assert worst_exit_code(map(ExitCode, [4, 3, 0])) == 3
    assert worst_exit_code(map(ExitCode, [3, 2, 4])) == 2
    assert worst_exit_code(map(ExitCode, [2, 1, 3])) == 1
