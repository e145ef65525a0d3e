"""Tests of decisions: phase, reason, resume time and message."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis import message
from skywalking_provider.analysis import verdict as verdicts
from skywalking_provider.analysis.verdict import Verdict, WaitBudget
from skywalking_provider.block import OnNoData, OnOutage
from skywalking_provider.errors import BackendUnavailableError, EntityNotFoundError, FailureKind, ProviderError, Reason
from skywalking_provider.model import Phase, Window
from skywalking_provider.queries.sample import Sample

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
UNAVAILABLE = BackendUnavailableError("backend prod responded 503 Service Unavailable", kind=FailureKind.UNAVAILABLE)
ELAPSED = st.integers(0, 7200).map(lambda seconds: timedelta(seconds=seconds))
LIMITS = st.integers(0, 3600).map(lambda seconds: timedelta(seconds=seconds))


@given(ELAPSED, LIMITS, st.sampled_from(OnOutage))
def test_on_backend_unavailable_is_never_failed_and_ends_with_policy(
    elapsed: timedelta, grace: timedelta, policy: OnOutage
) -> None:
    now = START + elapsed

    verdict = verdicts.on_backend_unavailable(UNAVAILABLE, grace, policy, START, now)

    if elapsed < grace:
        assert verdict.phase is Phase.RUNNING
        assert verdict.resume_at is not None
        assert now < verdict.resume_at <= min(START + grace, now + timedelta(minutes=1))
    else:
        assert verdict.phase.value.lower() == policy.value
        assert verdict.resume_at is None
    assert verdict.reason is Reason.OAP_UNAVAILABLE


@given(ELAPSED, LIMITS, st.sampled_from(OnNoData), st.integers(1, 60))
def test_on_missing_data_resumes_at_next_bucket_and_ends_with_policy(
    elapsed: timedelta, wait: timedelta, policy: OnNoData, seconds: int
) -> None:
    now = START + elapsed
    next_bucket = now + timedelta(seconds=seconds)

    wait_budget = WaitBudget(wait, START, now, next_bucket)
    verdict = verdicts.on_missing_data(Reason.NO_DATA, "no value", policy, wait_budget)

    if elapsed < wait:
        assert verdict.phase is Phase.RUNNING
        assert verdict.resume_at == min(next_bucket, START + wait)
    else:
        assert verdict.phase.value.lower() == policy.value


@given(ELAPSED, LIMITS, st.integers(1, 60))
def test_on_undecided_resumes_at_next_bucket_and_ends_inconclusive(
    elapsed: timedelta, wait: timedelta, seconds: int
) -> None:
    now = START + elapsed
    next_bucket = now + timedelta(seconds=seconds)

    verdict = verdicts.on_undecided("too few calls", WaitBudget(wait, START, now, next_bucket))

    assert verdict.reason is Reason.UNDECIDED
    assert verdict.detail.startswith("too few calls · ")
    if elapsed < wait:
        assert (verdict.phase, verdict.resume_at) == (Phase.RUNNING, min(next_bucket, START + wait))
        assert " · waiting until " in verdict.detail
    else:
        assert (verdict.phase, verdict.resume_at) == (Phase.INCONCLUSIVE, None)
        assert verdict.detail.endswith("(maxWait)" if wait else "not waiting (maxWait: 0)")


@pytest.mark.parametrize(
    ("phase", "success", "failure", "reason"),
    [
        (Phase.SUCCESSFUL, True, True, None),
        (Phase.FAILED, True, False, Reason.CONDITION_NOT_MET),
        (Phase.FAILED, False, True, Reason.FAILURE_CONDITION_MET),
        (Phase.FAILED, True, True, Reason.FAILURE_CONDITION_MET),
        (Phase.INCONCLUSIVE, True, True, Reason.NEITHER_CONDITION_MET),
        (Phase.ERROR, True, False, Reason.CONDITION_ERROR),
    ],
)
def test_select_reason_names_deciding_condition(
    phase: Phase, success: bool, failure: bool, reason: Reason | None
) -> None:
    assert verdicts.select_reason(phase, success=success, failure=failure) is reason


@given(ELAPSED, LIMITS, st.integers(1, 60))
def test_on_entity_not_found_waits_and_ends_with_error(elapsed: timedelta, wait: timedelta, seconds: int) -> None:
    now = START + elapsed

    wait_budget = WaitBudget(wait, START, now, now + timedelta(seconds=seconds))
    verdict = verdicts.on_entity_not_found(EntityNotFoundError("service: OAP knows no 'x'"), wait_budget)

    assert verdict.phase is (Phase.RUNNING if elapsed < wait else Phase.ERROR)
    assert verdict.reason is Reason.ENTITY_NOT_FOUND


def test_message_begins_with_most_useful_fact() -> None:
    window = Window(START, START + timedelta(minutes=12))
    sample = Sample(0.973, "success-rate 0.973", (), calls=1840, buckets_with_data=10)

    expected = message.format_conditions("result >= 0.99", "")
    detail = message.describe_sample(
        sample, expected, "3 instances of 6c85f7bf4", message.Origin(window, "prod", START)
    )

    assert message.message_for(Verdict(Phase.FAILED, Reason.CONDITION_NOT_MET, detail)) == (
        'CONDITION_NOT_MET success-rate 0.973, wanted "result >= 0.99" · 1 840 calls in 10 of 12 buckets'
        " · 3 instances of 6c85f7bf4 · 09:00–09:12 +0000 · backend prod"
    )


def test_message_names_the_dates_of_a_window_of_another_day_and_a_wrong_clock() -> None:
    window = Window(START, START + timedelta(minutes=12))
    clock = "the OAP's clock is"

    for days, offset, expected in (
        (0, timedelta(seconds=59), "09:00–09:12 +0000"),
        (1, timedelta(days=-1), f"2026-11-24 09:00–09:12 +0000 · {clock} 1d behind the provider's"),
        (0, timedelta(hours=2, seconds=5), f"09:00–09:12 +0000 · {clock} 2h ahead of the provider's"),
    ):
        origin = message.Origin(window, "prod", START + timedelta(days=days), offset)
        assert " · ".join(filter(None, origin.describe())) == f"{expected} · backend prod"


@pytest.mark.parametrize(
    ("start", "now", "expected"),
    [
        ("2026-11-24T23:58:00+00:00", "2026-11-25T00:04:00+00:00", "2026-11-24 23:58–2026-11-25 00:03 +0000"),
        ("2026-11-24T23:50:00+00:00", "2026-11-25T00:04:00+00:00", "2026-11-24 23:50–23:55 +0000"),
        ("2026-11-25T02:00:00+05:45", "2026-11-24T20:20:00+00:00", "02:00–02:05 +0545"),  # today in the OAP's zone
        ("2026-11-24T23:58:00+00:00", "2026-11-26T12:00:00+00:00", "2026-11-24 23:58–2026-11-25 00:03 +0000"),
    ],
)
def test_window_has_dates_unless_both_its_ends_are_today_in_its_zone(start: str, now: str, expected: str) -> None:
    first = datetime.fromisoformat(start)

    assert message.format_window(Window(first, first + timedelta(minutes=5)), datetime.fromisoformat(now)) == expected


def test_waiting_over_midnight_names_the_date() -> None:
    now = datetime(2026, 11, 24, 23, 59, tzinfo=UTC)
    wait_budget = WaitBudget(timedelta(minutes=5), now, now, now + timedelta(minutes=1))

    verdict = verdicts.on_missing_data(Reason.NO_DATA, "no value", OnNoData.ERROR, wait_budget)

    assert verdict.detail == "no value · waiting until 2026-11-25 00:04:00 +0000"


def test_message_of_condition_error_is_argos_own() -> None:
    explanation = 'could not evaluate successCondition "x": unknown name x'

    assert message.message_for(Verdict(Phase.ERROR, Reason.CONDITION_ERROR, explanation)) == explanation


@given(st.text(max_size=5000))
def test_message_is_one_line_of_bounded_length(text: str) -> None:
    line = message.message_for(verdicts.on_error(ProviderError(Reason.QUERY_INVALID, text)))

    assert len(line) <= message.MAX_MESSAGE
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("elapsed", "delay"),
    [(0, 5), (20, 5), (24, 6), (100, 25), (239.2, 59.8), (240, 60), (1000, 60), (3598, 2)],
)
def test_retry_of_an_outage_waits_for_a_quarter_of_its_duration_within_bounds(elapsed: float, delay: float) -> None:
    now = START + timedelta(seconds=elapsed)

    verdict = verdicts.on_backend_unavailable(UNAVAILABLE, timedelta(hours=1), OnOutage.ERROR, START, now)

    assert verdict.resume_at == now + timedelta(seconds=delay)


def test_verdicts_of_an_outage_have_the_error_and_the_grace() -> None:
    grace = timedelta(minutes=10)

    waiting, over = (
        verdicts.on_backend_unavailable(UNAVAILABLE, grace, OnOutage.ERROR, START, START + elapsed)
        for elapsed in (timedelta(0), grace)
    )

    assert waiting.detail == f"{UNAVAILABLE} · retrying until 09:10:00 +0000"
    assert over.detail == f"{UNAVAILABLE} · unavailable for 10m (outageGrace)"


@pytest.mark.parametrize(
    ("wait", "elapsed", "detail"),
    [
        (timedelta(minutes=2), timedelta(seconds=119), "no value · waiting until 09:02:00 +0000"),
        (timedelta(minutes=2), timedelta(minutes=2), "no value · waited 2m (maxWait)"),
        (timedelta(0), timedelta(0), "no value · not waiting (maxWait: 0)"),
    ],
)
def test_verdicts_without_data_have_the_description_and_the_wait(
    wait: timedelta, elapsed: timedelta, detail: str
) -> None:
    budget = WaitBudget(wait, START, START + elapsed, START + timedelta(hours=1))
    error = EntityNotFoundError("no value")

    missing = verdicts.on_missing_data(Reason.TOO_FEW_CALLS, "no value", OnNoData.SUCCESSFUL, budget)
    unknown = verdicts.on_entity_not_found(error, budget)

    assert (missing.detail, unknown.detail) == (detail, detail)
    assert (missing.reason, unknown.reason) == (Reason.TOO_FEW_CALLS, Reason.ENTITY_NOT_FOUND)
    assert missing.resume_at == unknown.resume_at == (START + wait if elapsed < wait else None)


def test_other_error_ends_the_measurement_at_once() -> None:
    verdict = verdicts.on_error(ProviderError(Reason.QUERY_INVALID, "no such field", "check it"))

    assert verdict == Verdict(Phase.ERROR, Reason.QUERY_INVALID, "no such field. Check it")


@pytest.mark.parametrize("phase", [Phase.SUCCESSFUL, Phase.FAILED, Phase.RUNNING, Phase.PENDING])
def test_select_reason_without_conditions_is_none(phase: Phase) -> None:
    assert verdicts.select_reason(phase, success=False, failure=False) is None


@pytest.mark.parametrize("elapsed", [timedelta(0), timedelta(minutes=2)])
def test_verdict_of_an_unknown_entity_has_its_likely_cause(elapsed: timedelta) -> None:
    budget = WaitBudget(timedelta(minutes=2), START, START + elapsed, START + timedelta(minutes=1))

    verdict = verdicts.on_entity_not_found(EntityNotFoundError("no value"), budget, "UNKNOWN has calls")

    assert verdict.detail.startswith("no value · UNKNOWN has calls · wait")
