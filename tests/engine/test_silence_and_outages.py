"""No data is never good, an OAP that is away is never bad, and nothing waits longer than it was told."""

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest
from engine_bench import CANARY, NOON, RUN, Bencher, talk_query

from skywalking_provider.conditions import Judged
from skywalking_provider.model import Deadline, Metric, Phase

MQE = """query q($duration: Duration!) {
  cpm: execExpression(expression: "service_cpm", entity: {serviceName: "%s", normal: true}, duration: $duration) {
    type error results { metric { labels { key value } } values { id value } }
  }
}"""
NO_SERVICE = MQE % "nobody"
ALL_GOOD = "all(result.cpm.results, {all(.values, {asFloat(.value) > 0})})"


async def test_no_data_is_waited_for_and_then_pauses_the_rollout(bench: Bencher) -> None:
    async with bench() as b:
        steps = await b.follow(ALL_GOOD, query=NO_SERVICE)

    assert {step.phase for step in steps[:-1]} == {Phase.RUNNING}
    assert steps[-1].phase is Phase.INCONCLUSIVE
    assert steps[-1].message.startswith("NO_DATA no value of cpm in ")
    assert steps[-1].finished_at - NOON == timedelta(minutes=5)  # maxWait
    assert len(steps) <= 7  # once a minute: nothing can have changed in between


@pytest.mark.parametrize(
    ("policy", "phase"),
    [
        ("error", Phase.ERROR),
        ("failed", Phase.FAILED),
        ("successful", Phase.SUCCESSFUL),
        ("inconclusive", Phase.INCONCLUSIVE),
    ],
)
async def test_what_no_data_means_is_said_in_the_block(bench: Bencher, policy: str, phase: Phase) -> None:
    async with bench() as b:
        measurement = await b.run(ALL_GOOD, query=NO_SERVICE, maxWait="0", onNoData=policy)

    assert measurement.phase is phase
    assert measurement.message.startswith("NO_DATA ")


async def test_no_data_is_no_success_even_without_a_condition(bench: Bencher) -> None:
    async with bench() as b:
        measurement = await b.run("", query=NO_SERVICE, maxWait="0")

    assert measurement.phase is Phase.INCONCLUSIVE


async def test_buckets_that_say_they_are_empty_are_no_data(bench: Bencher) -> None:
    async with bench() as b:
        measurement = await b.run(query=talk_query("nobody", "value isEmptyValue"), maxWait="0")

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
        {"kind": "answer", "body": "", "status": 200},
        {"kind": "answer", "body": "null", "status": 200},
        {"kind": "answer", "body": "[]", "status": 200},
        {"kind": "answer", "body": '"text"', "status": 200},
        {"kind": "answer", "body": '{"data": {"a": NaN}}', "status": 200},
        {"kind": "answer", "body": '{"data": {"a": 1e400}}', "status": 200},
        {"kind": "answer", "body": '{"message": "no"}', "status": 200},
        {"kind": "answer", "body": '{"data": {"a": 1}}', "status": 520},
        {"kind": "answer", "body": '{"errors": [{"message": "java.lang.OutOfMemoryError"}]}', "status": 500},
        {"kind": "answer", "body": '{"errors": [{"message": "slow down"}]}', "status": 429},
        {"kind": "answer", "body": '{"errors": {"message": "no list"}}', "status": 200},
        {"kind": "answer", "body": '{"data": [1]}', "status": 200},
        {"kind": "storage-down", "seconds": 0},
    ],
    ids=lambda fault: "-".join(str(part) for part in fault.values())[:40],
)
async def test_an_oap_that_is_away_costs_nothing_inside_the_grace_and_then_pauses(
    bench: Bencher, fault: dict[str, object]
) -> None:
    async with bench(backend={"timeout": "300ms"} if fault["kind"] == "hang" else None) as b:
        b.oap.fault(**fault)
        steps = await b.follow(outageGrace="20s")

        assert [step.phase for step in steps[:-1]] == [Phase.RUNNING] * (len(steps) - 1)
        assert steps[-1].phase is Phase.INCONCLUSIVE
        assert all(step.message.startswith("OAP_UNAVAILABLE ") for step in steps)

        b.oap.clear_faults()
        assert (await b.resume(steps[0])).phase is Phase.SUCCESSFUL


async def test_an_outage_can_be_made_an_error(bench: Bencher) -> None:
    async with bench() as b:
        b.oap.fault("status", status=503)

        assert (await b.run(outageGrace="0", onOutage="error")).phase is Phase.ERROR


async def test_an_oap_that_comes_back_inside_the_grace_gives_its_verdict(bench: Bencher) -> None:
    async with bench("slow-canary") as b:
        b.oap.fault("status", status=503, times=3)
        steps = await b.follow()

    assert [step.phase for step in steps] == [Phase.RUNNING, Phase.RUNNING, Phase.RUNNING, Phase.FAILED]
    assert all(step.started_at == NOON for step in steps)


async def test_no_answer_takes_longer_than_the_deadline(bench: Bencher) -> None:
    async with bench(backend={"timeout": "60s"}) as b:
        b.oap.fault("hang")
        began = time.monotonic()
        measurement = await b.run(seconds=1.0)

    assert measurement.phase is Phase.RUNNING
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            {"kind": "status", "status": 401},
            "OAP_REJECTED backend prod answered 401 Unauthorized: check the credentials",
        ),
        ({"kind": "status", "status": 403}, "OAP_REJECTED backend prod answered 403 Forbidden: check the credentials"),
        ({"kind": "status", "status": 404}, "OAP_REJECTED backend prod answered 404 Not Found: backends.prod.url"),
        ({"kind": "redirect"}, "OAP_REJECTED backend prod answered 302 Found: redirects are not followed"),
        ({"kind": "huge", "size": 8 << 20}, "OAP_RESPONSE_INVALID the answer of backend prod is longer than"),
        (
            {"kind": "answer", "body": '{"data": null}', "match": "readMetrics"},
            "OAP_RESPONSE_INVALID no results returned from SkyWalking query",
        ),
        (
            {"kind": "answer", "body": '{"data": {"getTimeInfo": {"timezone": "CET"}}}', "match": "getTimeInfo"},
            (
                "OAP_RESPONSE_INVALID the answer has another form than SkyWalking's: getTimeInfo.currentTimestamp is"
                " missing"
            ),
        ),
    ],
    ids=lambda value: "-".join(str(part) for part in value.values())[:40] if isinstance(value, dict) else "",
)
async def test_what_waiting_cannot_mend_is_an_error_at_once(
    bench: Bencher, fault: dict[str, object], words: str
) -> None:
    async with bench() as b:
        b.oap.fault(**fault)

        measurement = await b.run()

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith(words)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("query q($duration: Duration!) { nope(duration: $duration) }", "Field 'nope' in type 'Query' is undefined"),
        ("query q($other: Duration!) { getTimeInfo { timezone } }", "'other'"),
        (MQE % 'x") { x } }#', ""),
    ],
)
async def test_a_wrong_query_is_an_error_in_oaps_own_words(bench: Bencher, query: str, words: str) -> None:
    async with bench() as b:
        measurement = await b.run(query=query)

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith(("QUERY_INVALID graphql: ", "BLOCK_INVALID "))
    assert words in measurement.message


async def test_an_unknown_metric_is_an_error_in_mqes_own_words(bench: Bencher) -> None:
    async with bench() as b:
        measurement = await b.run(ALL_GOOD, query=NO_SERVICE.replace("service_cpm", "service_cmp"))

    assert measurement.phase is Phase.ERROR
    assert measurement.message == "QUERY_INVALID cpm: Metric: [service_cmp] does not exist."


@pytest.mark.parametrize("block", [{"query": MQE % CANARY}, {"expression": "service_cpm", "service": CANARY}])
async def test_a_storage_that_fails_under_an_expression_is_away(bench: Bencher, block: dict[str, str]) -> None:
    """OAP says it with HTTP 200, beside the data."""
    words = "Internal IO exception, query metrics error."
    field = {"type": "UNKNOWN", "error": words, "results": []}
    async with bench() as b:
        b.oap.answer(json.dumps({"data": {"cpm": field, "e0": field}}), match="execExpression")
        content = {"interval": "3m"} | block if "query" in block else {"window": "3m", "since": "window"} | block
        asked = Metric("m", "true", "", json.dumps(content).encode())
        measurement = await b.engine.run(asked, RUN, Deadline.after(10))

    assert measurement.phase is Phase.RUNNING, measurement.message
    assert measurement.message.startswith("OAP_UNAVAILABLE the storage of the backend is down")


async def test_an_evaluator_that_is_too_busy_is_no_fault_of_the_condition(
    bench: Bencher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench() as b:

        async def busy(*_: object, **__: object) -> Judged:
            return Judged(Phase.ERROR, "no answer in time: the machine is busy", unanswered=True)

        monkeypatch.setattr(b.engine._languages._expr, "evaluate", busy)
        measurement = await b.run()

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("PROVIDER_OVERLOADED no answer in time")


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
async def test_a_hostile_block_stops_nobody(bench: Bencher, block: dict[str, str]) -> None:
    async with bench() as b:
        began = time.process_time()
        measurement = await b.run(**block)

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith("BLOCK_INVALID ")
    assert time.process_time() - began < 1.0


async def test_no_body_of_a_refusal_is_repeated(bench: Bencher) -> None:
    async with bench() as b:
        b.oap.answer("token=hunter2 is wrong", status=403, content_type="text/plain")

        assert "hunter2" not in (await b.run()).message


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"backend": "staging"},
            "BACKEND_NOT_FOUND backend: 'staging' is not configured for namespace bookinfo: backends are prod",
        ),
        (
            {"address": "http://169.254.169.254"},
            "BACKEND_NOT_FOUND address: no backend configured for namespace bookinfo has",
        ),
        ({"intervall": "3m"}, "BLOCK_INVALID the block under provider.plugin is wrong: intervall: unknown key"),
    ],
)
async def test_a_wrong_block_asks_no_oap(bench: Bencher, keys: dict[str, str], words: str) -> None:
    async with bench() as b:
        measurement = await b.run(**keys)

        assert measurement.phase is Phase.ERROR
        assert measurement.message.startswith(words)
        assert b.oap.requests == []


async def test_the_clock_is_asked_once_for_many_measurements(bench: Bencher) -> None:
    async with bench(backend={"clockTtl": "60s"}) as b:
        await asyncio.gather(*(b.run() for _ in range(20)))

        assert sum("getTimeInfo" in request.body for request in b.oap.requests) == 1


async def test_credentials_of_the_backend_reach_the_oap_and_follow_their_file(bench: Bencher, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    async with bench(backend={"bearer": {"tokenFile": str(file)}, "headers": {"X-Tenant": "blue"}}) as b:
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


async def test_measurements_of_one_moment_share_their_reads(bench: Bencher) -> None:
    async with bench(backend={"answerTtl": "10s", "clockTtl": "60s"}) as b:
        measured = await asyncio.gather(*(b.run() for _ in range(50)))

        assert {one.phase for one in measured} == {Phase.SUCCESSFUL}
        assert sum("readMetricsValues(" in request.body for request in b.oap.requests) == 1
