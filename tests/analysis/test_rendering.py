"""Measurements of verdicts: what Argo stores never says more, and never resumes earlier, than the verdict."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis.rendering import (
    LAST_UNAVAILABLE_KEY,
    MAX_VALUE,
    build_measurement,
    format_value,
    last_unavailable_at,
)
from skywalking_provider.analysis.verdict import Verdict
from skywalking_provider.block import parse_block
from skywalking_provider.conditions.base import Evaluation
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Measurement, Phase
from skywalking_provider.support.instants import EARLIEST, MAX_AHEAD

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PREVIOUS = Measurement(Phase.RUNNING, START)
INSTANTS = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001
    datetime(2035, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)
COMPLETED = [phase for phase in Phase if phase.completed]
UNAVAILABLE = [Reason.OAP_UNAVAILABLE, Reason.PROVIDER_OVERLOADED]


@given(INSTANTS)
def test_resume_time_is_the_first_whole_second_that_is_not_before_the_verdicts(resume_at: datetime) -> None:
    verdict = Verdict(Phase.RUNNING, Reason.NO_DATA, "no value", resume_at)

    stored = build_measurement(verdict, "", PREVIOUS, START).resume_at

    assert stored is not None
    assert stored.microsecond == 0
    assert timedelta(0) <= stored - resume_at < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("resume_at", "stored"),
    [("09:14:59.999999", "09:15:00"), ("09:14:00.000001", "09:14:01"), ("09:14:01", "09:14:01")],
)
def test_resume_time_with_a_fraction_is_rounded_up_because_argo_would_resume_early(resume_at: str, stored: str) -> None:
    verdict = Verdict(Phase.RUNNING, Reason.NO_DATA, "no value", datetime.fromisoformat(f"2026-11-24T{resume_at}Z"))

    measurement = build_measurement(verdict, "", PREVIOUS, START)

    assert measurement.resume_at == datetime.fromisoformat(f"2026-11-24T{stored}Z")


@given(st.sampled_from(Phase), st.none() | st.sampled_from(Reason), INSTANTS)
def test_measurement_has_the_parts_of_its_verdict_and_ends_only_if_it_is_completed(
    phase: Phase, reason: Reason | None, now: datetime
) -> None:
    verdict = Verdict(phase, reason, "detail")

    measurement = build_measurement(verdict, "0.5", PREVIOUS, now)

    assert (measurement.phase, measurement.value, measurement.started_at) == (phase, "0.5", START)
    assert measurement.finished_at == (now if phase in COMPLETED else None)
    assert measurement.resume_at is None
    assert measurement.message.endswith("detail")


@given(INSTANTS, INSTANTS, st.sampled_from(UNAVAILABLE), st.sampled_from([Reason.NO_DATA, Reason.ENTITY_NOT_FOUND]))
def test_last_time_of_unavailability_survives_attempts_with_other_reasons(
    one: datetime, other_time: datetime, unavailable: Reason, other: Reason
) -> None:
    first, second = sorted((one, other_time))
    failed = build_measurement(Verdict(Phase.RUNNING, unavailable, "x", first), "", PREVIOUS, first)
    waiting = build_measurement(Verdict(Phase.RUNNING, other, "x", second), "", failed, second)
    again = build_measurement(Verdict(Phase.RUNNING, unavailable, "x", second), "", waiting, second)

    assert [last_unavailable_at(one, second) for one in (failed, waiting, again)] == [first, first, second]


@given(st.sampled_from(COMPLETED), st.sampled_from(UNAVAILABLE))
def test_completed_measurement_has_no_metadata_because_argo_hides_those_that_have(phase: Phase, reason: Reason) -> None:
    previous = Measurement(Phase.RUNNING, START, metadata={LAST_UNAVAILABLE_KEY: START.isoformat()})

    assert build_measurement(Verdict(phase, reason, "x"), "", previous, START).metadata == {}


def test_measurement_of_a_backend_that_was_never_unavailable_has_no_metadata() -> None:
    assert build_measurement(Verdict(Phase.RUNNING, Reason.NO_DATA, "x", START), "", PREVIOUS, START).metadata == {}


def test_measurement_without_metadata_was_never_unavailable() -> None:
    assert last_unavailable_at(PREVIOUS, START) == EARLIEST


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-24T09:00:00", "1969-12-31T00:00:00Z", "x" * 41])
def test_unusable_time_of_unavailability_is_an_error_that_quotes_it(text: str) -> None:
    previous = Measurement(Phase.RUNNING, START, metadata={LAST_UNAVAILABLE_KEY: text})

    with pytest.raises(ProviderError) as caught:
        build_measurement(Verdict(Phase.RUNNING, Reason.NO_DATA, "x", START), "", previous, START)

    assert caught.value.reason is Reason.REQUEST_INVALID
    assert str(caught.value) == (
        f"metadata {LAST_UNAVAILABLE_KEY} is not a time of the past: {text[:40]!r}."
        " Remove the metadata from the measurement in the AnalysisRun"
    )


def test_time_of_unavailability_may_be_as_far_ahead_as_a_wrong_clock() -> None:
    latest = START + MAX_AHEAD
    possible, impossible = (
        Measurement(Phase.RUNNING, START, metadata={LAST_UNAVAILABLE_KEY: instant.isoformat()})
        for instant in (latest, latest + timedelta(microseconds=1))
    )

    assert last_unavailable_at(possible, START) == latest
    with pytest.raises(ProviderError, match="is not a time of the past"):
        last_unavailable_at(impossible, START)


OWN = parse_block(json.dumps({"sli": "apdex", "window": "5m", "service": "reviews"}).encode())


def test_value_of_an_error_is_empty() -> None:
    assert format_value(Evaluation(Phase.ERROR, value="0.5"), OWN) == ""


@pytest.mark.parametrize("phase", [phase for phase in COMPLETED if phase is not Phase.ERROR])
def test_value_is_stored_up_to_the_limit_and_replaced_by_its_length_above(phase: Phase) -> None:
    longest = "1" * MAX_VALUE

    assert format_value(Evaluation(phase, value=longest), OWN) == longest
    assert json.loads(format_value(Evaluation(phase, value=longest + "1"), OWN)) == (
        f"omitted: the result has {MAX_VALUE + 1} characters; at most {MAX_VALUE} are kept in an AnalysisRun"
    )


def test_value_of_a_block_of_the_built_in_provider_has_no_limit_as_in_argo() -> None:
    block = parse_block(json.dumps({"query": "query { a }", "interval": "5m", "compatibility": "argo"}).encode())
    longest = "1" * (MAX_VALUE + 1)

    assert format_value(Evaluation(Phase.SUCCESSFUL, value=longest), block) == longest
