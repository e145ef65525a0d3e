"""Indicators and expressions of services, endpoints and sets of instances, on old and new OAPs."""

import json
from datetime import timedelta
from typing import Any

import pytest
from engine_bench import CANARY, NOON, RUN, Bench, Bencher

from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.plan import Read

VANILLA = "reviews.bookinfo"
HASH = "6c85f7bf4"
VERSIONS = ["9.2.0", "9.6.0", "10.1.0"]


async def ask(b: Bench, success: str = "true", run: Run = RUN, failure: str = "", **block: Any) -> Measurement:
    content = {"window": "5m"} | block
    return await b.engine.run(Metric("m", success, failure, json.dumps(content).encode()), run, Deadline.after(10))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("block", "value"),
    [
        ({"sli": "success-rate", "service": CANARY}, 0.9),
        ({"sli": "success-rate", "service": VANILLA}, 0.98),
        ({"sli": "success-rate", "service": VANILLA, "instances": {"podTemplateHash": HASH}}, 0.9),
        ({"sli": "success-rate", "service": VANILLA, "instances": {"name": "reviews-7d4f9c8b65-.*"}}, 1),
        ({"sli": "latency", "service": VANILLA, "percentile": 99}, 1200),
        ({"sli": "latency", "service": VANILLA, "instances": {"podTemplateHash": HASH}}, 350),
        ({"sli": "throughput", "service": VANILLA}, 300),
        ({"sli": "throughput", "service": VANILLA, "endpoint": "POST:/reviews"}, 150),
        ({"sli": "success-rate", "service": {"name": "reviews", "namespace": "bookinfo"}, "layer": "mesh"}, 0.98),
    ],
    ids=lambda case: "-".join(str(part) for part in case.values())[:50] if isinstance(case, dict) else "",
)
async def test_an_indicator_is_one_number_on_every_oap(
    bench: Bencher, version: str, block: dict[str, Any], value: float
) -> None:
    async with bench("failing-canary", version=version) as b:
        measurement = await ask(b, **block)

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert float(measurement.value) == pytest.approx(value)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_canary_is_told_from_the_stable_version_where_both_are_one_service(
    bench: Bencher, version: str
) -> None:
    async with bench("failing-canary", version=version) as b:
        canary = await ask(
            b, "result >= 0.99", sli="success-rate", service=VANILLA, instances={"podTemplateHash": HASH}
        )
        stable = await ask(
            b, "result >= 0.99", sli="success-rate", service=VANILLA, instances={"podTemplateHash": "7d4f9c8b65"}
        )

    assert stable.phase is Phase.SUCCESSFUL
    assert canary.phase is Phase.FAILED
    assert canary.message == (
        'CONDITION_NOT_MET success-rate 0.9, wanted "result >= 0.99" · 300 calls in 5 buckets'
        f" · 1 instance of {HASH} · 11:54–11:59 +0000 · backend prod"
    )


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
@pytest.mark.parametrize(
    ("block", "result"),
    [
        ({"expression": "avg(service_sla)", "scale": 10000}, 0.98),
        ({"expression": "service_cpm"}, [300] * 5),
        ({"expression": "service_cpm", "scale": 100}, [3] * 5),
        (
            {"expression": "service_instance_cpm", "instances": {"podTemplateHash": "7d4f9c8b65"}},
            {"reviews-7d4f9c8b65-2xkqz": [120] * 5, "reviews-7d4f9c8b65-h6pnw": [120] * 5},
        ),
        ({"expression": "endpoint_cpm", "endpoint": "POST:/reviews"}, [150] * 5),
        (
            {"expression": "top_n(service_instance_cpm,2,des)"},
            [{"name": "reviews-7d4f9c8b65-2xkqz", "value": 120}, {"name": "reviews-7d4f9c8b65-h6pnw", "value": 120}],
        ),
    ],
    ids=lambda case: str(case.get("expression")) if isinstance(case, dict) else "",
)
async def test_every_type_of_an_expression_has_its_result(
    bench: Bencher, version: str, block: dict[str, Any], result: object
) -> None:
    async with bench("failing-canary", version=version) as b:
        measurement = await ask(b, service=VANILLA, **block)

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert json.loads(measurement.value) == result


async def test_labels_are_the_keys_of_a_map_and_percentiles_have_the_same_ones_on_every_oap(bench: Bencher) -> None:
    for version in ("9.6.0", "10.1.0"):
        async with bench("failing-canary", version=version) as b:
            measurement = await ask(b, service=VANILLA, expression="service_percentile")

        assert list(json.loads(measurement.value)) == ["50", "75", "90", "95", "99"]


async def test_an_old_oap_has_no_expressions_and_is_told_so(bench: Bencher) -> None:
    async with bench(version="9.2.0") as b:
        measurement = await ask(b, service=VANILLA, expression="service_cpm")

    assert measurement.phase is Phase.ERROR
    assert "they came with 9.5" in measurement.message


async def test_absent_buckets_stay_absent(bench: Bencher) -> None:
    async with bench("idle-minutes") as b:
        cpm = await ask(b, service=CANARY, expression="service_cpm", since="window")
        apdex = await ask(b, service=CANARY, expression="service_apdex", since="window")

    assert len(json.loads(cpm.value)) == len(json.loads(apdex.value)) < 5
    assert 0 not in json.loads(apdex.value)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"expression": "service_cmp"}, "service_cmp: Metric: [service_cmp] does not exist: nearest are service_cpm"),
        ({"expression": "service_cpm / 0"}, "OAP_ANSWER_INVALID service_cpm / 0: OAP answered '∞'"),
        ({"expression": "0 / 0 * service_cpm"}, "which is no number"),
        (
            {"sli": "apdex", "instances": {"podTemplateHash": HASH}},
            "OAL, for example `service_instance_apdex = from(ServiceInstance.latency).apdex(serviceName, status);`",
        ),
        (
            {"sli": "latency", "percentile": 99, "instances": {"podTemplateHash": HASH}},
            "`service_instance_percentile = from(ServiceInstance.latency).percentile2(10);`",
        ),
        ({"sli": "apdex", "endpoint": "POST:/reviews"}, "OAP has no apdex at the scope Endpoint"),
    ],
    ids=lambda case: str(next(iter(case.values()))) if isinstance(case, dict) else "",
)
async def test_what_oap_cannot_answer_is_an_error_with_its_remedy(
    bench: Bencher, block: dict[str, Any], words: str
) -> None:
    async with bench() as b:
        measurement = await ask(b, service=VANILLA, **block)

    assert measurement.phase is Phase.ERROR
    assert words in measurement.message


async def test_numbers_with_a_decimal_comma_are_an_error_not_another_number(bench: Bencher) -> None:
    async with bench(decimal_comma=True) as b:
        measurement = await ask(b, service=VANILLA, expression="avg(service_cpm) / 7")

    assert measurement.phase is Phase.ERROR
    assert "-Duser.language=en" in measurement.message


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"service": "review.bookinfo"}, "service: OAP knows no 'review.bookinfo': nearest are reviews.bookinfo"),
        ({"service": VANILLA, "layer": "GENERAL"}, "OAP knows 'reviews.bookinfo' in MESH, not in layer GENERAL"),
        ({"service": VANILLA, "endpoint": "/none"}, "endpoint: OAP knows no '/none' of 'reviews.bookinfo'"),
        (
            {"service": VANILLA, "instances": {"podTemplateHash": "85f7bf4"}},  # a substring is no segment
            "instances: no instance of 'reviews.bookinfo' matches 85f7bf4: 3 instances there are: reviews-6c85f7bf4",
        ),
    ],
    ids=["service", "layer", "endpoint", "instances"],
)
async def test_an_entity_that_oap_does_not_know_is_waited_for_and_then_an_error_with_the_nearest(
    bench: Bencher, block: dict[str, Any], words: str
) -> None:
    async with bench() as b:
        first = await ask(b, sli="throughput", **block)
        at_once = await ask(b, sli="throughput", maxWait="0", **block)

    assert first.phase is Phase.RUNNING
    assert at_once.phase is Phase.ERROR
    assert words in first.message
    assert words in at_once.message
    assert at_once.message.startswith("ENTITY_UNKNOWN ")


async def test_a_hash_is_found_in_the_attributes_where_an_agent_names_instances_by_uuid(bench: Bencher) -> None:

    scenario = parse_scenario(
        f"""
        services:
          - name: {VANILLA}
            layer: GENERAL
            instances:
              - name: 5f0b@10.0.0.1
                attributes: {{hostname: reviews-{HASH}-abcde}}
                traffic: [{{calls: 10}}]
              - name: 77aa@10.0.0.2
                attributes: {{hostname: reviews-7d4f9c8b65-abcde}}
                traffic: [{{calls: 10, failures: 5}}]
            traffic: [{{calls: 20}}]
        """,
        "test",
    )
    async with bench(scenario) as b:
        measurement = await ask(b, sli="success-rate", service=VANILLA, instances={"podTemplateHash": HASH})

    assert measurement.value == "1"


async def test_what_a_previous_canary_of_the_name_left_behind_is_never_read(bench: Bencher) -> None:
    """Until minute -4 a bad canary had this name; the run of the good one began in minute -4."""

    scenario = parse_scenario(
        f"""
        services:
          - name: "{CANARY}"
            traffic:
              - {{until: -4, calls: 60, failures: 60}}
              - {{from: -4, calls: 60}}
        """,
        "test",
    )
    run = Run(started_at=NOON - timedelta(minutes=4, seconds=10))
    async with bench(scenario) as b:
        by_default = await ask(b, "result >= 0.99", run, sli="success-rate", service=CANARY)
        whole_window = await ask(b, "result >= 0.99", run, sli="success-rate", service=CANARY, since="window")

    assert by_default.phase is Phase.SUCCESSFUL, by_default.message
    assert whole_window.phase is Phase.FAILED


async def test_a_run_that_has_just_begun_waits_for_its_first_closed_minute_however_short_max_wait_is(
    bench: Bencher,
) -> None:
    run = Run(started_at=NOON, labels={"rollout-type": "Background"})
    block = {"sli": "success-rate", "service": CANARY, "window": "5m", "maxWait": "1m"}
    content = Metric("m", "result >= 0.99", "", json.dumps(block).encode())
    async with bench() as b:
        steps = [await b.engine.run(content, run, Deadline.after(10))]
        while not steps[-1].phase.completed:
            b.clock.set(steps[-1].resume_at)
            steps.append(await b.engine.resume(content, run, steps[-1], Deadline.after(10)))

    assert steps[0].message.startswith("NO_DATA no minute since the run's start has closed yet")
    assert steps[-1].phase is Phase.SUCCESSFUL
    # Begun at 12:00:20: the first whole minute is 12:01, closed and settled at 12:03:00.
    assert steps[-1].finished_at == NOON + timedelta(minutes=2, seconds=40)


async def test_too_few_calls_are_waited_for_and_the_window_grows_until_there_are_enough(bench: Bencher) -> None:
    block = {"sli": "success-rate", "service": CANARY, "window": "2m", "minCalls": 300, "since": "window"}
    content = Metric("m", "result >= 0.99", "", json.dumps(block).encode())
    async with bench() as b:
        steps = [await b.engine.run(content, RUN, Deadline.after(10))]
        while not steps[-1].phase.completed:
            b.clock.set(steps[-1].resume_at)
            steps.append(await b.engine.resume(content, RUN, steps[-1], Deadline.after(10)))

    assert steps[0].message.startswith("TOO_FEW_CALLS 120 calls, wanted 300 (minCalls)")
    assert [step.phase for step in steps] == [Phase.RUNNING] * 3 + [Phase.SUCCESSFUL]


async def test_too_few_calls_until_max_wait_end_as_the_block_says(bench: Bencher) -> None:
    async with bench() as b:
        measurement = await ask(b, sli="success-rate", service=CANARY, minCalls=10**6, maxWait="0", onNoData="failed")

    assert measurement.phase is Phase.FAILED
    assert measurement.message.startswith("TOO_FEW_CALLS 300 calls, wanted 1 000 000")


@pytest.mark.parametrize("second", range(0, 60, 7))
async def test_late_data_within_the_settle_delay_never_flips_a_verdict(bench: Bencher, second: int) -> None:
    """What was read of a window is what is in it for ever: calls half a minute late, flushed every 25 s."""
    scenario = parse_scenario(
        f"""{{flush: 25, services: [{{name: "{CANARY}", traffic: [{{calls: 60, delay: 30}}]}}]}}""", "test"
    )
    async with bench(scenario) as b:
        b.clock.set(NOON.replace(minute=20, second=second))
        early = await ask(b, service=CANARY, expression="service_cpm", since="window")
        asked = next(r for r in reversed(b.oap.requests) if "execExpression" in r.body)

        b.clock.advance(3600)

        backend = b.engine._backends.select(None, None, "bookinfo")
        again = await backend.read(
            Read(json.loads(asked.body)["query"], json.loads(asked.body)["variables"]), Deadline.after(5)
        )

    later = [int(value["value"]) for value in again["e0"]["results"][0]["values"]]
    assert json.loads(early.value) == later


async def test_several_instances_travel_as_aliases_of_one_request(bench: Bencher) -> None:
    async with bench() as b:
        await ask(b, sli="success-rate", service=VANILLA, instances={"name": "reviews-.*"})

        assert sum("execExpression" in request.body for request in b.oap.requests) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_hundred_and_twenty_pods_are_one_canary(bench: Bencher, version: str) -> None:
    pods = "\n".join(
        f"              - {{name: reviews-{HASH}-{pod:05}, traffic: [{{calls: 10}}]}}" for pod in range(120)
    )
    scenario = parse_scenario(
        f"""
        services:
          - name: {VANILLA}
            instances:
{pods}
            traffic: [{{calls: 1200}}]
        """,
        "test",
    )
    async with bench(scenario, version=version) as b:
        measurement = await ask(b, sli="throughput", service=VANILLA, instances={"podTemplateHash": HASH})

    assert measurement.value == "1200", measurement.message


async def test_the_dialect_and_the_names_are_asked_once(bench: Bencher) -> None:
    async with bench() as b:
        for _ in range(5):
            await ask(b, sli="success-rate", service=VANILLA)

        bodies = [request.body for request in b.oap.requests]
    assert [sum(word in body for body in bodies) for word in ("__type", "listServices", "listMetrics")] == [1, 1, 1]


async def test_an_argument_cannot_leave_its_place_in_the_request(bench: Bencher) -> None:
    evil = 'x") { __schema { types { name } } } #'
    async with bench() as b:
        measurement = await ask(b, sli="throughput", service=evil, maxWait="0")

        assert all(evil not in json.loads(request.body)["query"] for request in b.oap.requests)
    assert measurement.phase is Phase.ERROR


@pytest.mark.parametrize(
    ("success", "failure", "phase"),
    [
        ("result >= 0.99", "", Phase.FAILED),
        ("result >= 0.5", "", Phase.SUCCESSFUL),
        ("", "result < 0.95", Phase.FAILED),
        ("result > 1", "result < 0", Phase.INCONCLUSIVE),
        ("result >", "", Phase.ERROR),
        ("nope > 1", "", Phase.ERROR),
    ],
)
async def test_cel_judges_where_the_block_says_so(bench: Bencher, success: str, failure: str, phase: Phase) -> None:
    conditions = {"language": "cel", "success": success, "failure": failure}
    async with bench("failing-canary") as b:
        measurement = await ask(b, "", sli="success-rate", service=CANARY, conditions=conditions)

    assert measurement.phase is phase, measurement.message
    assert measurement.value == ("" if phase is Phase.ERROR else "0.9")


async def test_two_languages_at_once_are_an_error(bench: Bencher) -> None:
    async with bench() as b:
        measurement = await ask(
            b, "true", sli="success-rate", service=CANARY, conditions={"language": "cel", "success": "true"}
        )

    assert measurement.phase is Phase.ERROR
    assert "conditions: the metric has a successCondition" in measurement.message


async def test_an_oap_that_does_not_tell_its_schema_is_taken_for_a_new_one(bench: Bencher) -> None:
    async with bench() as b:
        forbidden = '{"errors": [{"message": "introspection is disabled"}]}'
        b.oap.answer(forbidden, match="__type")

        assert (await ask(b, sli="success-rate", service=VANILLA)).value == "1"


async def test_an_outage_does_not_eat_the_time_that_a_new_name_may_take(bench: Bencher) -> None:
    """Away for three of the two minutes that a background run waits for a name; then the service is not listed yet."""
    run = Run(labels={"rollout-type": "Background"})
    block = {"sli": "success-rate", "service": "new.bookinfo", "window": "5m"}
    content = Metric("m", "result >= 0.99", "", json.dumps(block).encode())
    async with bench() as b:
        b.oap.fault("status", status=503)
        step = await b.engine.run(content, run, Deadline.after(10))
        b.clock.advance(180)
        step = await b.engine.resume(content, run, step, Deadline.after(10))
        assert step.message.startswith("OAP_AWAY ")
        b.oap.clear_faults()
        b.clock.advance(15)
        back = await b.engine.resume(content, run, step, Deadline.after(10))
        while not back.phase.completed:
            last = back
            b.clock.set(back.resume_at)
            back = await b.engine.resume(content, run, back, Deadline.after(10))

    assert last.message.startswith("ENTITY_UNKNOWN ")
    assert back.phase is Phase.ERROR
    assert back.finished_at - NOON == timedelta(minutes=5)
    assert back.metadata == {}


@pytest.mark.timeout(20)
async def test_a_hostile_regular_expression_stops_nobody(bench: Bencher) -> None:
    async with bench() as b:
        measurement = await ask(b, sli="throughput", service=VANILLA, instances={"name": "([a-z0-9-]+)+!"}, maxWait="0")

    assert measurement.message.startswith("ENTITY_UNKNOWN ")


async def test_a_pod_without_traffic_is_left_out_of_the_result(bench: Bencher) -> None:
    scenario = parse_scenario(
        f"""
        services:
          - name: {VANILLA}
            instances:
              - {{name: reviews-{HASH}-aaaaa, traffic: [{{calls: 10}}]}}
              - {{name: reviews-{HASH}-bbbbb, traffic: [{{calls: 10, until: -60}}]}}
            traffic: [{{calls: 10}}]
        """,
        "test",
    )
    async with bench(scenario) as b:
        measurement = await ask(
            b,
            "all(values(result), # >= 0.99)",
            expression="avg(service_instance_sla)",
            scale=10000,
            service=VANILLA,
            instances={"podTemplateHash": HASH},
        )

    assert (measurement.phase, measurement.value) == (Phase.SUCCESSFUL, f'{{"reviews-{HASH}-aaaaa":1}}')


async def test_an_endpoint_that_oap_does_not_list_among_a_hundred_others_is_asked_for_all_the_same(
    bench: Bencher,
) -> None:
    endpoints = ", ".join(f'"/api/{number}"' for number in range(120))
    scenario = parse_scenario(
        f"services: [{{name: {VANILLA}, endpoints: [{endpoints}, /api], traffic: [{{calls: 1210}}]}}]", "test"
    )
    async with bench(scenario) as b:
        found = await ask(b, sli="throughput", service=VANILLA, endpoint="/api")
        wrong = await ask(b, sli="throughput", service=VANILLA, endpoint="/apj/1", maxWait="0")

    assert float(found.value) > 0, found.message
    assert "nearest are /api" in wrong.message
