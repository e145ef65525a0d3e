"""What is shown of a measurement is what the service's engine saw and said."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import Reason
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.model import Deadline, Phase, Run
from skywalking_provider.oap import open_backends
from skywalking_provider.tools.check.buckets import rows_of
from skywalking_provider.tools.check.outcome import exit_code, worst_exit_code
from skywalking_provider.tools.check.recording import open_recording_backends
from skywalking_provider.tools.check.runner import CheckResult, measure
from skywalking_provider.tools.check.selection import select_metrics
from skywalking_provider.tools.check.template import parse_templates
from tests.tools.check.harness import (
    CANARY,
    NOON,
    PLUGIN,
    VANILLA,
    build_indicator_metric,
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


async def checked(oap: MockOap, *metrics: dict[str, Any], **backend: Any) -> list[CheckResult]:
    questions, _ = select_metrics(parse_templates(build_template(*metrics), "f"), {}, (), PLUGIN)
    configs = {"prod": BackendConfig.model_validate({"url": oap.address} | backend)}
    async with (
        open_condition_evaluator() as languages,
        open_recording_backends(configs, now, any_name=False) as recorded,
    ):
        return [await measure(question, recorded, languages, now) for question in questions]


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0", "10.1.0"])
async def test_the_verdict_is_the_services_own_and_no_request_is_made_for_the_show(version: str) -> None:
    metric = build_indicator_metric(instances={"podTemplateHash": "6c85f7bf4"})
    async with start_oap_at_noon(version=version) as oap:
        (one,) = await checked(oap, metric)
        asked = len(oap.requests)
        config = BackendConfig.model_validate({"url": oap.address})
        async with open_condition_evaluator() as languages, open_backends({"prod": config}, now) as backends:
            of_service = await Engine(backends, languages, now).run(one.target.metric, Run(), Deadline.after(10))
        asked_by_service = len(oap.requests) - asked

    assert one.measurement == of_service
    assert one.reason is Reason.CONDITION_NOT_MET
    assert len(one.exchanges) == asked == asked_by_service
    assert one.result == 0.9


async def test_the_series_are_those_of_every_instance_with_the_times_of_the_oaps_zone() -> None:
    async with start_oap_at_noon(timezone="+0545") as oap:
        (one,) = await checked(oap, build_indicator_metric(window="3m", instances={"podTemplateHash": "7d4f9c8b65"}))

    rows = rows_of(one)
    assert [(row.name, row.entity.split(" ")[0]) for row in rows] == [
        (metric, instance)
        for metric in ("service_instance_cpm", "service_instance_sla")
        for instance in ("reviews-7d4f9c8b65-2xkqz", "reviews-7d4f9c8b65-h6pnw")
    ]
    assert [f"{time:%H:%M %z}" for time in rows[0].times] == ["17:41 +0545", "17:42 +0545", "17:43 +0545"]
    assert [row.buckets for row in rows] == [(120,) * 3, (120,) * 3, (10000,) * 3, (10000,) * 3]


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0", "10.1.0"])
async def test_absent_minutes_are_absent_on_every_oap(version: str) -> None:
    async with start_oap_at_noon("idle-minutes", version=version) as oap:
        (one,) = await checked(oap, build_indicator_metric(service=CANARY, window="10m", minCalls=0))

    values = {row.name: row.buckets for row in rows_of(one)}["service_sla"]
    assert 0 < values.count(None) < 10
    assert one.collected_sample
    assert one.collected_sample.sample.buckets_with_data == 10 - values.count(None)


@pytest.mark.parametrize(
    ("version", "labels", "names"),
    [
        ("9.2.0", '["0", "4"]', ["0", "4"]),
        ("9.6.0", '["0", "4"]', ["0", "4"]),
        ("10.1.0", "[]", [f"{{p={p}}}" for p in (50, 75, 90, 95, 99)]),
    ],
)
async def test_an_authors_query_has_a_row_for_every_label(version: str, labels: str, names: list[str]) -> None:
    block = {"query": QUERY.replace("LABELS", labels), "interval": "5m"}
    metric = {"name": "m", "provider": {"plugin": {PLUGIN: block}}}
    async with start_oap_at_noon("idle-minutes", version=version) as oap:
        (one,) = await checked(oap, metric)

    rows = rows_of(one)
    assert [row.name for row in rows] == ["apdex", *(f"percentiles {name}" for name in names)]
    assert all(len(row.times) == 5 for row in rows)
    assert any(None in row.buckets for row in rows)


async def test_the_built_in_providers_own_window_is_shown_as_it_reads_it() -> None:
    block = {"query": QUERY.replace("LABELS", "[]"), "interval": "3m", "compatibility": "argo"}
    async with start_oap_at_noon() as oap:
        (one,) = await checked(oap, {"name": "m", "provider": {"plugin": {PLUGIN: block}}})

    assert one.window
    assert (one.window.start.astimezone(UTC), one.window.buckets) == (datetime(2026, 11, 24, 11, 57, tzinfo=UTC), 4)
    assert len(rows_of(one)[0].buckets) == 4


async def test_sorted_lists_and_single_values_are_rows_without_times() -> None:
    def metric(expression: str) -> dict[str, Any]:
        block = {"expression": expression, "window": "5m", "service": VANILLA}
        return {"name": "m", "provider": {"plugin": {PLUGIN: block}}}

    async with start_oap_at_noon() as oap:
        top, single, labelled = await checked(
            oap, metric("top_n(service_instance_cpm,2,des)"), metric("avg(service_sla)"), metric("service_percentile")
        )

    assert [(row.times, len(row.ids), row.buckets) for row in rows_of(top)] == [((), 2, (120, 120))]
    assert [(row.times, row.ids, row.buckets) for row in rows_of(single)] == [((), (), (9800,))]
    assert [row.name for row in rows_of(labelled)][::4] == ["service_percentile p=50", "service_percentile p=99"]


async def test_every_condition_is_told_by_itself() -> None:
    metric = build_indicator_metric("result > 0.95") | {"failureCondition": "result < 0.99"}
    cel = build_indicator_metric("", conditions={"language": "cel", "success": "result > 0.99", "failure": "nope"})
    async with start_oap_at_noon() as oap:
        both, in_cel = await checked(oap, metric, cel)

    assert [(one.kind, one.holds) for one in both.conditions] == [("success", True), ("failure", True)]
    assert both.measurement.phase is Phase.FAILED
    assert [(one.language, one.holds, bool(one.error)) for one in in_cel.conditions] == [
        ("cel", False, False),
        ("cel", None, True),
    ]


async def test_no_condition_is_asked_without_data() -> None:
    async with start_oap_at_noon() as oap:
        (one,) = await checked(oap, build_indicator_metric(minCalls=1_000_000, maxWait="0", onNoData="failed"))

    assert one.measurement.phase is Phase.FAILED
    assert one.reason is Reason.TOO_FEW_CALLS
    assert [condition.holds for condition in one.conditions] == [None]
    assert one.result == 0.98  # it was read all the same


async def test_no_condition_is_asked_where_silence_turns_out_to_be_a_mistake() -> None:
    query = QUERY.replace("LABELS", "[]").replace("service_apdex", "service_apdx")
    metric = {
        "name": "apdex",
        "successCondition": "true",
        "provider": {"plugin": {PLUGIN: {"query": query, "interval": "3m"}}},
    }
    async with start_oap_at_noon() as oap:
        (one,) = await checked(oap, metric)

    assert one.reason is Reason.QUERY_INVALID
    assert [condition.holds for condition in one.conditions] == [None]


async def test_values_as_long_as_argo_does_not_store_are_shown_all_the_same() -> None:
    queries = " ".join(
        f'a{at}: readMetricsValues(condition: {{name: "service_apdex", entity: {{scope: Service,'
        f' serviceName: "{CANARY}", normal: true}} }}, duration: $duration) {{ values {{ values {{ value }} }} }}'
        for at in range(40)
    )
    block = {"query": f"query q($duration: Duration!) {{ {queries} }}", "interval": "60m"}
    async with start_oap_at_noon("healthy-canary") as oap:
        (one,) = await checked(oap, {"name": "m", "provider": {"plugin": {PLUGIN: block}}})

    assert json.loads(one.measurement.value).startswith("omitted")
    assert isinstance(one.result, dict)


_metric = build_indicator_metric
HASH = {"podTemplateHash": "6c85f7bf4"}
BOTH = build_indicator_metric("result > 0.99") | {"failureCondition": "result < 0.5"}


async def test_a_bug_in_one_metric_is_an_error_of_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr("skywalking_provider.queries.indicators.query.decode_indicator", broken)
    async with start_oap_at_noon() as oap:
        (one,) = await checked(oap, build_indicator_metric())

    assert (one.reason, exit_code(one)) == (Reason.PROVIDER_INTERNAL, 2)
    assert one.collected_sample is None
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
async def test_every_verdict_has_its_exit_code(
    metric: dict[str, Any], phase: Phase, reason: Reason | None, code: int
) -> None:
    async with start_oap_at_noon() as oap:
        (one,) = await checked(oap, metric)

    assert (one.measurement.phase, one.reason, exit_code(one)) == (phase, reason, code), one.measurement.message


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
async def test_what_the_oap_does_wrong_ends_with_three_and_the_request_that_did_not_work(
    fault: dict[str, Any], block: dict[str, Any], phase: Phase, reason: Reason
) -> None:
    async with start_oap_at_noon() as oap:
        oap.add_fault(**fault)
        (one,) = await checked(oap, build_indicator_metric(**block))

    assert (one.measurement.phase, one.reason, exit_code(one)) == (phase, reason, 3), one.measurement.message
    assert len(one.sample_exchanges) == 1
    if phase is Phase.RUNNING:
        assert one.measurement.resume_at == NOON + timedelta(seconds=5)


def test_of_several_codes_the_worst_is_as_argo_sorts_phases() -> None:
    assert worst_exit_code([]) == 0
    assert worst_exit_code([0, 4]) == 4
    assert worst_exit_code([4, 3, 0]) == 3
    assert worst_exit_code([3, 2, 4]) == 2
    assert worst_exit_code([2, 1, 3]) == 1
