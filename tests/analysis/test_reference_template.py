"""Tests of the reference template: good data, bad data, and the first seconds of a minute."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from skywalking_provider.model import Phase
from tests.analysis.harness import NOON, REFERENCE_CONDITION, HarnessFactory, reference_query


async def test_healthy_canary_is_successful_without_message(harness: HarnessFactory) -> None:
    async with harness("healthy-canary") as b:
        measurement = await b.run()

    assert (measurement.phase, measurement.message) == (Phase.SUCCESSFUL, "")
    assert json.loads(measurement.value)["service_apdex"]["values"]["values"] == [{"value": 10000}] * 3
    assert measurement.started_at == measurement.finished_at == NOON
    assert measurement.resume_at is None
    assert measurement.metadata == {}


async def test_slow_canary_is_failed_with_reason(harness: HarnessFactory) -> None:
    async with harness("slow-canary") as b:
        measurement = await b.run()

    assert measurement.phase is Phase.FAILED
    assert measurement.message == (
        f'CONDITION_NOT_MET service_apdex 3500 3500 3500, wanted "{REFERENCE_CONDITION}"'
        " · 3 buckets · 11:56–11:59 +0000 · backend prod"
    )


@pytest.mark.parametrize("second", [0, 1, 5, 20, 40, 59])
async def test_unfinished_minute_never_fails_healthy_canary(harness: HarnessFactory, second: int) -> None:
    async with harness("healthy-canary") as b:
        b.clock.set(NOON.replace(minute=7, second=second))

        assert (await b.run()).phase is Phase.SUCCESSFUL


async def test_compatibility_argo_fails_healthy_canary_in_first_seconds_of_minute(
    harness: HarnessFactory,
) -> None:
    """Show why `compatibility: argo` is not the default: the unfinished minute reads 0."""
    async with harness("healthy-canary") as b:
        b.clock.set(NOON.replace(minute=7, second=2))

        measurement = await b.run(compatibility="argo")

    assert measurement.phase is Phase.FAILED
    assert json.loads(measurement.value)["service_apdex"]["values"]["values"][-1] == {"value": 0}


@pytest.mark.parametrize("zone", ["+0000", "+0800", "-0330", "+0545", "Asia/Kolkata", "America/St_Johns"])
async def test_window_has_same_minutes_in_every_zone(harness: HarnessFactory, zone: str) -> None:
    async with harness("healthy-canary", timezone=zone) as b:
        measurement = await b.run()

        assert measurement.phase is Phase.SUCCESSFUL, measurement.message


@pytest.mark.parametrize("minute", range(-10, 20, 3))
async def test_window_has_right_minutes_while_clocks_are_put_forward(harness: HarnessFactory, minute: int) -> None:
    """Use Berlin on 2026-03-29, where 02:00 is 03:00: with a fixed offset the window would start at a missing time."""
    at = datetime(2026, 3, 29, 1, 0, 20, tzinfo=UTC) + timedelta(minutes=minute)
    async with harness("healthy-canary", at=at, timezone="Europe/Berlin", backend={"timezone": "Europe/Berlin"}) as b:
        assert (await b.run(interval="8m")).phase is Phase.SUCCESSFUL


async def test_configured_zone_that_differs_from_oap_is_ignored(harness: HarnessFactory) -> None:
    async with harness("healthy-canary", timezone="+0545", backend={"timezone": "Europe/Berlin"}) as b:
        assert (await b.run()).phase is Phase.SUCCESSFUL


async def test_window_follows_skewed_clock_of_oap(harness: HarnessFactory) -> None:
    async with harness("healthy-canary", skew=timedelta(minutes=30)) as b:
        assert (await b.run()).phase is Phase.SUCCESSFUL


async def test_duration_variable_has_format_of_built_in_provider(harness: HarnessFactory) -> None:
    async with harness() as b:
        await b.run()

        (body,) = [json.loads(request.body) for request in b.oap.requests if "readMetricsValues" in request.body]
    assert body["variables"] == {"duration": {"start": "2026-11-24 1156", "end": "2026-11-24 1158", "step": "MINUTE"}}


async def test_both_conditions_follow_argos_rules(harness: HarnessFactory) -> None:
    async with harness() as b:
        bad = await b.run("true", "true")
        undecided = await b.run("false", "false")
        no_condition = await b.run("", "")

    assert (bad.phase, bad.message.split()[0]) == (Phase.FAILED, "FAILURE_CONDITION_MET")
    assert (undecided.phase, undecided.message.split()[0]) == (Phase.INCONCLUSIVE, "NEITHER_CONDITION_MET")
    assert (no_condition.phase, no_condition.message) == (Phase.SUCCESSFUL, "")


async def test_invalid_condition_is_error_with_argos_message_and_no_value(harness: HarnessFactory) -> None:
    async with harness() as b:
        measurement = await b.run("result.service_apdex >")

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith(
        'could not evaluate successCondition "result.service_apdex >": unexpected token EOF'
    )
    assert measurement.value == ""


async def test_argument_with_quotes_reaches_oap_verbatim(harness: HarnessFactory) -> None:
    async with harness() as b:
        measurement = await b.run(query=reference_query(service='no \\"such\\" {service} <ü>'))

        assert any('no \\\\\\"such\\\\\\" {service} <\\u00fc>' in request.body for request in b.oap.requests)
    assert measurement.phase is Phase.RUNNING  # OAP returns zeros for a service that it does not know: no data


async def test_value_too_long_for_analysis_run_is_replaced_by_note(harness: HarnessFactory) -> None:
    async with harness() as b:
        b.clock.set(NOON.replace(hour=23))
        fields = "id value " + " ".join(f"v{i}: value" for i in range(20))

        measurement = await b.run("true", query=reference_query(fields=fields), interval="300m")

    assert measurement.phase is Phase.SUCCESSFUL
    assert json.loads(measurement.value).startswith("omitted: the result has ")


async def test_internal_error_affects_one_measurement_only(
    harness: HarnessFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with harness() as b:
        with monkeypatch.context() as patched:
            patched.setattr("skywalking_provider.analysis.engine.parse_block", lambda _: 1 / 0)
            broken = await b.run()

        assert broken.phase is Phase.ERROR
        assert broken.message.startswith("PROVIDER_INTERNAL The provider has a bug")
        assert (await b.run()).phase is Phase.SUCCESSFUL
