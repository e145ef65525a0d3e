"""Measurements of alarms: verdict without conditions, conditions, missing data, waiting, and shared reads."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.mock_oap.scenario import Scenario
from skywalking_provider.mock_oap.versions import AlarmApi
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from tests.analysis.harness import CANARY, HASH, NOON, RUN, VANILLA, VERSIONS, Harness, HarnessFactory

SERVICE = "shop"
TRAFFIC = [{"calls": 60}]
ALARM = {"rule": "a_rule", "from": -2, "message": "slow", "tags": {"rule": "a_rule"}}
APIS = list(AlarmApi)


def scenario(*alarms: dict[str, Any], **service: Any) -> Scenario:
    content = {"name": SERVICE, "traffic": TRAFFIC, "alarms": list(alarms)} | service
    return Scenario.model_validate({"services": [content]})


def metric(success: str = "", failure: str = "", **keys: Any) -> Metric:
    block = {"alarms": {}, "window": "5m", "service": SERVICE} | keys
    return Metric("alarms", success, failure, json.dumps(block).encode())


async def measure(b: Harness, success: str = "", failure: str = "", run: Run = RUN, **keys: Any) -> Measurement:
    return await b.engine.run(metric(success, failure, **keys), run, Deadline.after(10))


async def complete(b: Harness, measurement: Measurement, **keys: Any) -> Measurement:
    """Resume a measurement until it is completed."""
    for _ in range(30):
        if measurement.phase.completed:
            return measurement
        assert measurement.resume_at
        b.clock.set(measurement.resume_at)
        measurement = await b.engine.resume(metric(**keys), RUN, measurement, Deadline.after(10))
    raise AssertionError(measurement)


@pytest.mark.parametrize("version", VERSIONS)
async def test_alarm_of_the_canary_fails_it_on_every_oap_version(harness: HarnessFactory, version: str) -> None:
    async with harness("alarming-canary", version=version) as b:
        by_name = await measure(b, service=CANARY)
        by_hash = await measure(b, service=VANILLA, instances={"podTemplateHash": HASH})
        stable = await measure(b, service=VANILLA, instances={"podTemplateHash": "7d4f9c8b65"})

    assert (by_name.phase, by_hash.phase, stable.phase) == (Phase.FAILED, Phase.FAILED, Phase.SUCCESSFUL)
    assert by_name.message == (
        f"ALARM_FIRED service_sla_rule: Successful rate of service {CANARY} is lower than 95% in 2 minutes of last 10"
        " minutes at 11:57:20 · 1 alarm fired, 1 firing · 11:54–11:59 +0000 · backend prod"
    )
    assert by_hash.message == (
        "ALARM_FIRED Alarm caused by Rule service_instance_sla_rule at 11:57:20 · 1 alarm fired, 1 firing"
        f" · 1 instance of {HASH} · 11:54–11:59 +0000 · backend prod"
    )
    assert json.loads(by_name.value) == {"firing": 1, "fired": 1, "recovered": 0, "rules": ["service_sla_rule"]}
    assert json.loads(stable.value) == {"firing": 0, "fired": 0, "recovered": 0, "rules": []}
    assert stable.message == ""


@pytest.mark.parametrize("api", APIS)
async def test_only_alarms_of_the_named_rules_and_tags_count(harness: HarnessFactory, api: AlarmApi) -> None:
    other = ALARM | {"rule": "b_rule", "tags": {"rule": "b_rule", "level": "WARNING"}}
    async with harness(scenario(other), alarm_api=api) as b:
        named = await measure(b, alarms={"rules": ["b_rule", "c_rule"]})
        unnamed = await measure(b, alarms={"rules": ["a_rule"]})
        tagged = await measure(b, alarms={"tags": {"level": "WARNING"}})
        untagged = await measure(b, alarms={"tags": {"level": "CRITICAL"}})

    assert (named.phase, tagged.phase) == (Phase.FAILED, Phase.FAILED)
    assert (unnamed.phase, untagged.phase) == (Phase.SUCCESSFUL, Phase.SUCCESSFUL)


async def test_rule_that_the_oap_does_not_report_is_an_error_with_the_next_step(harness: HarnessFactory) -> None:
    async with harness(scenario(ALARM | {"tags": {}})) as b:
        unknown = await measure(b, alarms={"rules": ["a_rule"]})
        everything = await measure(b)

    assert unknown.phase is Phase.ERROR
    assert unknown.message == (
        "QUERY_INVALID alarms.rules: an OAP before 11 does not report the rule of an alarm, and 'slow' names none."
        " Add the tag rule with its name to each rule in the OAP's alarm-settings.yml, or remove rules"
    )
    assert everything.phase is Phase.FAILED


async def test_rule_is_known_from_the_request_on_oap_11(harness: HarnessFactory) -> None:
    async with harness(scenario(ALARM | {"tags": {}}), alarm_api=AlarmApi.QUERY_ALARMS) as b:
        measurement = await measure(b, alarms={"rules": ["a_rule", "b_rule"]})

    assert measurement.message.startswith("ALARM_FIRED a_rule: slow at ")
    assert json.loads(measurement.value)["rules"] == ["a_rule"]


async def test_conditions_are_evaluated_on_the_counts(harness: HarnessFactory) -> None:
    async with harness(scenario(ALARM)) as b:
        tolerant = await measure(b, "result.fired <= 1")
        strict = await measure(b, "result.firing == 0")
        by_rule = await measure(b, failure='"a_rule" in result.rules')

    assert tolerant.phase is Phase.SUCCESSFUL
    assert strict.phase is Phase.FAILED
    assert strict.message == (
        'CONDITION_NOT_MET 1 alarm fired, 1 firing, wanted "result.firing == 0" · 300 calls in 5 buckets'
        " · 11:54–11:59 +0000 · backend prod"
    )
    assert by_rule.message.startswith("FAILURE_CONDITION_MET 1 alarm fired, 1 firing")


async def test_entity_without_data_is_not_successful(harness: HarnessFactory) -> None:
    async with harness(scenario(traffic=[])) as b:
        measurement = await measure(b, maxWait="0s")

    assert measurement.phase is Phase.INCONCLUSIVE
    assert measurement.message.startswith("NO_DATA no value of service_cpm in 5 buckets")


async def test_too_few_calls_are_not_successful(harness: HarnessFactory) -> None:
    async with harness(scenario()) as b:
        measurement = await measure(b, maxWait="0s", minCalls=301)

    assert measurement.message.startswith("TOO_FEW_CALLS 300 calls, wanted 301 (minCalls)")


async def test_alarm_of_an_entity_without_data_fails_it_unless_there_are_conditions(harness: HarnessFactory) -> None:
    async with harness(scenario(ALARM, traffic=[])) as b:
        plain = await measure(b, maxWait="0s")
        conditional = await measure(b, "result.fired <= 1", maxWait="0s")

    assert plain.message.startswith("ALARM_FIRED a_rule: slow")
    assert conditional.message.startswith("NO_DATA")


async def test_unknown_service_waits_as_in_other_blocks(harness: HarnessFactory) -> None:
    async with harness(scenario()) as b:
        measurement = await measure(b, service="shopp")

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("ENTITY_NOT_FOUND service: OAP does not know 'shopp'. Did you mean shop")


async def test_alarm_of_the_unfinished_minute_fails_the_canary(harness: HarnessFactory) -> None:
    async with harness(scenario(ALARM | {"from": 0, "second": 10})) as b:
        measurement = await measure(b)

    assert measurement.message.startswith("ALARM_FIRED a_rule: slow at 12:00:10")


BEFORE = ALARM | {"from": -8}
"""An alarm from before the window, in the silence period of ten minutes."""


async def test_alarm_before_the_window_is_waited_for_until_its_silence_period_ends(harness: HarnessFactory) -> None:
    async with harness(scenario(BEFORE)) as b:
        first = await measure(b)
        last = await complete(b, first)

    assert first.phase is Phase.RUNNING
    assert first.message.startswith(
        "ALARM_FIRED a_rule: slow at 11:52:20 · began before the window, in the silence period of its rule"
        " · 0 alarms fired, 1 firing"
    )
    assert first.value == ""
    assert last.phase is Phase.SUCCESSFUL
    assert b.clock() - NOON <= timedelta(minutes=6)


async def test_alarm_that_is_raised_again_after_the_silence_period_fails_the_canary(harness: HarnessFactory) -> None:
    async with harness(scenario(BEFORE | {"every": 11})) as b:
        last = await complete(b, await measure(b))

    assert last.phase is Phase.FAILED
    assert last.message.startswith("ALARM_FIRED a_rule: slow at 12:03:20 · 1 alarm fired")


@pytest.mark.parametrize("api", [AlarmApi.RECOVERY, AlarmApi.QUERY_ALARMS])
async def test_recovery_ends_the_wait(harness: HarnessFactory, api: AlarmApi) -> None:
    async with harness(scenario(BEFORE | {"recoversAfter": 10}), alarm_api=api) as b:
        first = await measure(b)
        last = await complete(b, first)

    assert "began before the window and has not recovered" in first.message
    assert last.phase is Phase.SUCCESSFUL
    assert b.clock() - NOON <= timedelta(minutes=3)


async def test_alarm_that_lasts_until_the_end_of_the_wait_fails_the_canary(harness: HarnessFactory) -> None:
    keys: dict[str, Any] = {"maxWait": "2m", "alarms": {"silencePeriod": "1h"}}
    async with harness(scenario(BEFORE)) as b:
        last = await complete(b, await measure(b, **keys), **keys)

    assert last.phase is Phase.FAILED
    assert last.message.endswith("· backend prod · waited 2m (maxWait)")
    assert json.loads(last.value)["firing"] == 1


async def test_recovered_alarm_of_the_window_still_fails_it_and_is_counted(harness: HarnessFactory) -> None:
    async with harness(scenario(ALARM | {"from": -4, "recoversAfter": 1}), alarm_api=AlarmApi.RECOVERY) as b:
        plain = await measure(b)
        tolerant = await measure(b, "result.firing == 0")

    assert plain.phase is Phase.FAILED
    assert json.loads(plain.value) == {"firing": 0, "fired": 1, "recovered": 1, "rules": ["a_rule"]}
    assert "1 alarm fired, 1 recovered ·" in plain.message
    assert tolerant.phase is Phase.SUCCESSFUL


async def test_run_that_starts_after_the_alarm_does_not_count_it_as_fired(harness: HarnessFactory) -> None:
    run = Run(namespace="bookinfo", name="r", started_at=NOON - timedelta(minutes=3))
    async with harness(scenario(ALARM | {"from": -4})) as b:
        later = await measure(b, run=run, alarms={"silencePeriod": "0s"}, maxWait="0s")

    assert later.phase is Phase.SUCCESSFUL, later.message


@pytest.mark.parametrize(
    "message",
    ["x" * 5_000, "a\nb\x1b[31m\u202ec", "", "🦊" * 300, "Alarm caused by Rule " + "r" * 500 + "_rule"],
    ids=["long", "control", "empty", "wide", "rule"],
)
async def test_foreign_texts_are_printable_and_cut(harness: HarnessFactory, message: str) -> None:
    async with harness(scenario(ALARM | {"message": message, "tags": {}})) as b:
        measurement = await measure(b)

    assert measurement.phase is Phase.FAILED
    assert measurement.message.isprintable()
    assert len(measurement.message) <= 400
    assert "backend prod" in measurement.message


async def test_measurements_of_one_window_share_the_read_of_alarms(harness: HarnessFactory) -> None:
    cache = {"cache": {"responseTtl": "7s", "verdictTtl": "0s"}}
    async with harness("alarming-canary", backend=cache) as b:
        blocks = [{"service": VANILLA, "instances": {"podTemplateHash": one}} for one in (HASH, "7d4f9c8b65")]
        await asyncio.gather(*(measure(b, **one) for one in blocks))

    assert sum("getAlarm" in one.body for one in b.oap.requests) == 1


async def test_verdict_of_a_measurement_that_has_waited_is_not_that_of_a_new_one(harness: HarnessFactory) -> None:
    keys: dict[str, Any] = {"maxWait": "2m", "window": "10m", "alarms": {"silencePeriod": "1h"}}
    run = Run(namespace="bookinfo", name="r", started_at=NOON - timedelta(minutes=4))
    async with harness(scenario(BEFORE), backend={"cache": {"responseTtl": "0s", "verdictTtl": "30s"}}) as b:
        waited = await measure(b, run=run, **keys)
        b.clock.advance(125)
        waited = await b.engine.resume(metric(**keys), run, waited, Deadline.after(10))
        new = await measure(b, run=run, **keys)

    assert (waited.phase, new.phase) == (Phase.FAILED, Phase.RUNNING)


@pytest.mark.parametrize("fault", ["status", "storage-down"])
async def test_outage_of_the_alarm_query_waits_as_any_other(harness: HarnessFactory, fault: str) -> None:
    async with harness(scenario(ALARM)) as b:
        b.oap.add_fault(fault, match="getAlarm", **({"status": 503} if fault == "status" else {"seconds": 0}))
        measurement = await measure(b)

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("OAP_UNAVAILABLE")


async def test_hanging_alarm_query_ends_by_the_deadline(harness: HarnessFactory) -> None:
    async with harness(scenario(ALARM)) as b:
        b.oap.add_fault("hang", match="getAlarm")
        measurement = await b.engine.run(metric(), RUN, Deadline.after(1.5))

    assert measurement.phase is Phase.RUNNING
    assert measurement.message.startswith("OAP_UNAVAILABLE")


async def test_metadata_describe_the_selection(harness: HarnessFactory) -> None:
    async with harness(scenario()) as b:
        facts = b.engine.metadata(metric(alarms={"rules": ["a_rule"], "tags": {"level": "CRITICAL"}}))

    assert facts["alarms"] == "a_rule, level=CRITICAL"
    assert facts["service"] == SERVICE
