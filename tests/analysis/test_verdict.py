"""What trouble and silence mean, and when a measurement goes on."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis import message as explain
from skywalking_provider.analysis import verdict as judge
from skywalking_provider.analysis.verdict import Verdict, WaitBudget
from skywalking_provider.block import OnNoData, OnOutage
from skywalking_provider.errors import BackendUnavailableError, EntityNotFoundError, FailureKind, ProviderError, Reason
from skywalking_provider.model import Phase, Window
from skywalking_provider.queries.sample import Sample

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
AWAY = BackendUnavailableError("backend prod responded 503 Service Unavailable", kind=FailureKind.UNAVAILABLE)
WAITED = st.integers(0, 7200).map(lambda seconds: timedelta(seconds=seconds))
LIMITS = st.integers(0, 3600).map(lambda seconds: timedelta(seconds=seconds))


@given(WAITED, LIMITS, st.sampled_from(OnOutage))
def test_on_backend_unavailable_is_never_failed_and_ends_with_policy(
    waited: timedelta, grace: timedelta, policy: OnOutage
) -> None:
    now = START + waited

    verdict = judge.on_backend_unavailable(AWAY, grace, policy, START, now)

    if waited < grace:
        assert verdict.phase is Phase.RUNNING
        assert verdict.resume_at is not None
        assert now < verdict.resume_at <= min(START + grace, now + timedelta(minutes=1))
    else:
        assert verdict.phase.value.lower() == policy.value
        assert verdict.resume_at is None
    assert verdict.reason is Reason.OAP_UNAVAILABLE


@given(WAITED, LIMITS, st.sampled_from(OnNoData), st.integers(1, 60))
def test_on_missing_data_resumes_at_next_bucket_and_ends_with_policy(
    waited: timedelta, wait: timedelta, policy: OnNoData, seconds: int
) -> None:
    now = START + waited
    change = now + timedelta(seconds=seconds)

    patience = WaitBudget(wait, START, now, change)
    verdict = judge.on_missing_data(Reason.NO_DATA, "no value", policy, patience)

    if waited < wait:
        assert verdict.phase is Phase.RUNNING
        assert verdict.resume_at == min(change, START + wait)
    else:
        assert verdict.phase.value.lower() == policy.value


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
    assert judge.select_reason(phase, success=success, failure=failure) is reason


@given(WAITED, LIMITS, st.integers(1, 60))
def test_on_entity_not_found_waits_and_ends_with_error(waited: timedelta, wait: timedelta, seconds: int) -> None:
    now = START + waited

    patience = WaitBudget(wait, START, now, now + timedelta(seconds=seconds))
    verdict = judge.on_entity_not_found(EntityNotFoundError("service: OAP knows no 'x'"), patience)

    assert verdict.phase is (Phase.RUNNING if waited < wait else Phase.ERROR)
    assert verdict.reason is Reason.ENTITY_NOT_FOUND


def test_message_begins_with_most_useful_fact() -> None:
    window = Window(START, START + timedelta(minutes=12))
    sample = Sample(0.973, "success-rate 0.973", (), calls=1840, buckets_with_data=10)

    wanted = explain.format_conditions("result >= 0.99", "")
    because = explain.describe_sample(sample, wanted, "3 instances of 6c85f7bf4", window, "prod")

    assert explain.message_for(Verdict(Phase.FAILED, Reason.CONDITION_NOT_MET, because)) == (
        'CONDITION_NOT_MET success-rate 0.973, wanted "result >= 0.99" · 1 840 calls in 10 of 12 buckets'
        " · 3 instances of 6c85f7bf4 · 09:00–09:12 +0000 · backend prod"
    )


def test_message_of_condition_error_is_argos_own() -> None:
    words = 'could not evaluate successCondition "x": unknown name x'

    assert explain.message_for(Verdict(Phase.ERROR, Reason.CONDITION_ERROR, words)) == words


@given(st.text(max_size=5000))
def test_message_is_one_line_of_bounded_length(text: str) -> None:
    message = explain.message_for(judge.on_error(ProviderError(Reason.QUERY_INVALID, text)))

    assert len(message) <= explain.MAX_MESSAGE
    assert len(message.splitlines()) == 1
