"""Tests of missing data and outages: neither decides about the canary, and waiting is bounded."""

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest

from skywalking_provider.conditions import Evaluation
from skywalking_provider.model import Deadline, Metric, Phase
from tests.analysis.harness import CANARY, NOON, RUN, HarnessFactory, reference_query

MQE = """query q($duration: Duration!) {
  cpm: execExpression(expression: "service_cpm", entity: {serviceName: "%s", normal: true}, duration: $duration) {
    type error results { metric { labels { key value } } values { id value } }
  }
}"""
NO_SERVICE = MQE % "unknown"
ALL_GOOD = "all(result.cpm.results, {all(.values, {asFloat(.value) > 0})})"


async def test_no_data_waits_until_max_wait_and_is_then_inconclusive(harness: HarnessFactory) -> None:
    async with harness() as b:
        steps = await b.run_to_completion(ALL_GOOD, query=NO_SERVICE)

    assert {step.phase for step in steps[:-1]} == {Phase.RUNNING}
    assert steps[-1].phase is Phase.INCONCLUSIVE
    assert steps[-1].message.startswith("NO_DATA no value of cpm in ")
    assert steps[-1].finished_at - NOON == timedelta(minutes=7)  # maxWait
    assert len(steps) <= 9  # once a minute: nothing can have changed in between


@pytest.mark.parametrize(
    ("policy", "phase"),
    [
        ("error", Phase.ERROR),
        ("failed", Phase.FAILED),
        ("successful", Phase.SUCCESSFUL),
        ("inconclusive", Phase.INCONCLUSIVE),
    ],
)
async def test_no_data_ends_with_phase_of_on_no_data(harness: HarnessFactory, policy: str, phase: Phase) -> None:
    async with harness() as b:
        measurement = await b.run(ALL_GOOD, query=NO_SERVICE, maxWait="0", onNoData=policy)

    assert measurement.phase is phase
    assert measurement.message.startswith("NO_DATA ")


async def test_no_data_without_condition_is_not_successful(harness: HarnessFactory) -> None:
    async with harness() as b:
        measurement = await b.run("", query=NO_SERVICE, maxWait="0")

    assert measurement.phase is Phase.INCONCLUSIVE


async def test_no_data_empty_buckets_are_not_zero(harness: HarnessFactory) -> None:
    async with harness() as b:
        measurement = await b.run(query=reference_query("unknown", "value isEmptyValue"), maxWait="0")

    assert measurement.phase is Phase.INCONCLUSIVE
    assert measurement.message.startswith("NO_DATA no value of service_apdex in 3 buckets · ")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 503},
        {"kind": "html"},
        {"kind": "html", "status": 502},
        {"kind": "reset"},
        {"kind": "truncated"},
        {"kind": "hang"},
        {"kind": "response", "body": "", "status": 200},
        {"kind": "response", "body": "null", "status": 200},
        {"kind": "response", "body": "[]", "status": 200},
        {"kind": "response", "body": '"text"', "status": 200},
        {"kind": "response", "body": '{"data": {"a": NaN}}', "status": 200},
        {"kind": "response", "body": '{"data": {"a": 1e400}}', "status": 200},
        {"kind": "response", "body": '{"message": "no"}', "status": 200},
        {"kind": "response", "body": '{"data": {"a": 1}}', "status": 520},
        {"kind": "response", "body": '{"errors": [{"message": "java.lang.OutOfMemoryError"}]}', "status": 500},
        {"kind": "response", "body": '{"errors": [{"message": "slow down"}]}', "status": 429},
        {"kind": "response", "body": '{"errors": {"message": "no list"}}', "status": 200},
        {"kind": "response", "body": '{"data": [1]}', "status": 200},
        {"kind": "storage-down", "seconds": 0},
    ],
    ids=lambda fault: "-".join(str(part) for part in fault.values())[:40],
)
async def test_outage_is_retried_within_grace_and_is_then_inconclusive(
    harness: HarnessFactory, fault: dict[str, object]
) -> None:
    async with harness(backend={"timeout": "300ms"} if fault["kind"] == "hang" else None) as b:
        b.oap.add_fault(**fault)
        steps = await b.run_to_completion(outageGrace="20s")

        assert [step.phase for step in steps[:-1]] == [Phase.RUNNING] * (len(steps) - 1)
        assert steps[-1].phase is Phase.INCONCLUSIVE
        assert all(step.message.startswith("OAP_UNAVAILABLE ") for step in steps)

        b.oap.clear_faults()
        assert (await b.resume(steps[0])).phase is Phase.SUCCESSFUL


async def test_outage_with_on_outage_error_is_error(harness: HarnessFactory) -> None:
    async with harness() as b:
        b.oap.add_fault("status", status=503)

        assert (await b.run(outageGrace="0", onOutage="error")).phase is Phase.ERROR


async def test_outage_that_ends_within_grace_gives_verdict(harness: HarnessFactory) -> None:
    async with harness("slow-canary") as b:
        b.oap.add_fault("status", status=503, times=3)
        steps = await b.run_to_completion()

    assert [step.phase for step in steps] == [Phase.RUNNING, Phase.RUNNING, Phase.RUNNING, Phase.FAILED]
    assert all(step.started_at == NOON for step in steps)


async def test_measurement_ends_before_deadline_if_oap_hangs(harness: HarnessFactory) -> None:
    async with harness(backend={"timeout": "60s"}) as b:
        b.oap.add_fault("hang")
        started_at = time.monotonic()
        measurement = await b.run(seconds=1.0)

    assert measurement.phase is Phase.RUNNING
    assert time.monotonic() - started_at < 30  # the backend's timeout is 60 s


@pytest.mark.parametrize(
    ("fault", "message_part"),
    [
        (
            {"kind": "status", "status": 401},
            "OAP_REJECTED backend prod responded 401 Unauthorized. Check the credentials",
        ),
        ({"kind": "status", "status": 403}, "OAP_REJECTED backend prod responded 403 Forbidden. Check the credentials"),
        ({"kind": "status", "status": 404}, "OAP_REJECTED backend prod responded 404 Not Found. Set backends.prod.url"),
        (
            {"kind": "redirect"},
            "OAP_REJECTED backend prod responded 302 Found. Write the final address into backends.prod.url",
        ),
        ({"kind": "huge", "size": 8 << 20}, "OAP_RESPONSE_INVALID backend prod: response is larger than"),
        (
            {"kind": "response", "body": '{"data": null}', "match": "readMetrics"},
            "OAP_RESPONSE_INVALID no results returned from SkyWalking query",
        ),
        (
            {"kind": "response", "body": '{"data": {"getTimeInfo": {"timezone": "CET"}}}', "match": "getTimeInfo"},
            ("OAP_RESPONSE_INVALID response has an unexpected form: getTimeInfo.currentTimestamp is missing"),
        ),
    ],
    ids=lambda value: "-".join(str(part) for part in value.values())[:40] if isinstance(value, dict) else "",
)
async def test_permanent_error_is_error_without_waiting(
    harness: HarnessFactory, fault: dict[str, object], message_part: str
) -> None:
    async with harness() as b:
        b.oap.add_fault(**fault)

        measurement = await b.run()

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith(message_part)


@pytest.mark.parametrize(
    ("query", "message_part"),
    [
        ("query q($duration: Duration!) { nope(duration: $duration) }", "Cannot query field 'nope' on type 'Query'"),
        ("query q($other: Duration!) { getTimeInfo { timezone } }", "'$other'"),
        (MQE % 'x") { x } }#', ""),
    ],
)
async def test_invalid_query_is_error_with_message_of_oap(
    harness: HarnessFactory, query: str, message_part: str
) -> None:
    async with harness() as b:
        measurement = await b.run(query=query)

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith(("QUERY_INVALID graphql: ", "BLOCK_INVALID "))
    assert message_part in measurement.message


async def test_unknown_metric_in_expression_is_error_with_message_of_oap(harness: HarnessFactory) -> None:
    async with harness() as b:
        measurement = await b.run(ALL_GOOD, query=NO_SERVICE.replace("service_cpm", "service_cmp"))

    assert measurement.phase is Phase.ERROR
    expected = "QUERY_INVALID cpm: Metric: [service_cmp] does not exist. Did you mean service_cpm?"
    assert measurement.message == expected


@pytest.mark.parametrize("block", [{"query": MQE % CANARY}, {"expression": "service_cpm", "service": CANARY}])
async def test_storage_failure_in_expression_is_outage(harness: HarnessFactory, block: dict[str, str]) -> None:
    """OAP reports the failure with HTTP 200, beside the data."""
    message_part = "Internal IO exception, query metrics error."
    field = {"type": "UNKNOWN", "error": message_part, "results": []}
    async with harness() as b:
        b.oap.respond_with(json.dumps({"data": {"cpm": field, "e0": field}}), match="execExpression")
        content = {"interval": "3m"} | block if "query" in block else {"window": "3m", "since": "window"} | block
        metric = Metric("m", "true", "", json.dumps(content).encode())
        measurement = await b.engine.run(metric, RUN, Deadline.after(10))

    assert measurement.phase is Phase.RUNNING, measurement.message
    assert measurement.message.startswith("OAP_UNAVAILABLE storage of the OAP failed")


async def test_overloaded_evaluator_is_provider_overloaded_not_condition_error(
    harness: HarnessFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with harness() as b:

        async def busy(*_: object, **__: object) -> Evaluation:
            return Evaluation(Phase.ERROR, "not started in time: the machine is busy", not_evaluated=True)

        monkeypatch.setattr(b.engine._attempts._conditions._expr, "evaluate", busy)
        measurement = await b.run()

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("PROVIDER_OVERLOADED not started in time")


@pytest.mark.parametrize(
    "block",
    [
        {"interval": "9" * 30_000},
        {"interval": "1" + "0" * 30_000 + "m"},
        {"query": "query q { " + "a " * 15_000 + "}"},
        {"query": "query q { " + "a { " * 3_000 + "}" * 3_000 + " }"},
    ],
    ids=["digits", "minutes", "wide", "deep"],
)
async def test_block_with_slow_validation_does_not_delay_others(harness: HarnessFactory, block: dict[str, str]) -> None:
    async with harness() as b:
        started_at = time.process_time()
        measurement = await b.run(**block)

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith("BLOCK_INVALID ")
    assert time.process_time() - started_at < 5.0  # seconds of CPU; quadratic work would take minutes


async def test_rejection_message_does_not_contain_response_body(harness: HarnessFactory) -> None:
    async with harness() as b:
        b.oap.respond_with("token=hunter2 is wrong", status=403, content_type="text/plain")

        assert "hunter2" not in (await b.run()).message


@pytest.mark.parametrize(
    ("keys", "message_part"),
    [
        (
            {"backend": "staging"},
            "BACKEND_NOT_FOUND backend: 'staging' is not configured for namespace bookinfo. Known backends: prod.",
        ),
        (
            {"address": "http://169.254.169.254"},
            "BACKEND_NOT_FOUND address: no backend configured for namespace bookinfo has",
        ),
        ({"intervall": "3m"}, "BLOCK_INVALID the block of the metric is invalid: intervall: unknown key"),
    ],
)
async def test_invalid_block_sends_no_request(harness: HarnessFactory, keys: dict[str, str], message_part: str) -> None:
    async with harness() as b:
        measurement = await b.run(**keys)

        assert measurement.phase is Phase.ERROR
        assert measurement.message.startswith(message_part)
        assert b.oap.requests == []


async def test_server_clock_is_requested_once_for_several_measurements(harness: HarnessFactory) -> None:
    async with harness(backend={"clockTtl": "60s"}) as b:
        await asyncio.gather(*(b.run() for _ in range(20)))

        assert sum("getTimeInfo" in request.body for request in b.oap.requests) == 1


async def test_credentials_are_sent_and_reloaded_from_their_file(harness: HarnessFactory, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    async with harness(backend={"bearer": {"tokenFile": str(file)}, "headers": {"X-Tenant": "blue"}}) as b:
        await b.run()
        assert b.oap.requests[-1].headers["Authorization"] == "Bearer first"
        assert b.oap.requests[-1].headers["X-Tenant"] == "blue"

        file.write_text("second-token\n")
        await b.run()
        assert b.oap.requests[-1].headers["Authorization"] == "Bearer second-token"

        file.unlink()
        lost = await b.run()
        assert lost.phase is Phase.RUNNING
        assert "cannot be read" in lost.message


async def test_concurrent_measurements_share_requests(harness: HarnessFactory) -> None:
    async with harness(backend={"cache": {"responseTtl": "7s", "verdictTtl": "3s"}, "clockTtl": "60s"}) as b:
        measured = await asyncio.gather(*(b.run() for _ in range(50)))

        assert {one.phase for one in measured} == {Phase.SUCCESSFUL}
        assert sum("readMetricsValues(" in request.body for request in b.oap.requests) == 1
