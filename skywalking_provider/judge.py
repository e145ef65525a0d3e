"""From facts to a verdict: phases by Argo's matrix, waiting, and what trouble means. Pure: the clock is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from skywalking_provider.errors import BackendAway, ProviderError, Reason
from skywalking_provider.model import Phase
from skywalking_provider.spec import OnNoData, OnOutage
from skywalking_provider.spec.duration import format_duration

_RETRY_FIRST = timedelta(seconds=5)
_RETRY_LAST = timedelta(seconds=60)

_ON_NO_DATA = {
    OnNoData.INCONCLUSIVE: Phase.INCONCLUSIVE,
    OnNoData.ERROR: Phase.ERROR,
    OnNoData.FAILED: Phase.FAILED,
    OnNoData.SUCCESSFUL: Phase.SUCCESSFUL,
}
_ON_OUTAGE = {OnOutage.INCONCLUSIVE: Phase.INCONCLUSIVE, OnOutage.ERROR: Phase.ERROR}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a measurement stands, and why.

    Attributes:
        phase: Running with `resume_at`, or finished.
        reason: The stable code; None for a plain success.
        because: One line without the code; empty for a plain success.
        resume_at: On our own clock.
    """

    phase: Phase
    reason: Reason | None = None
    because: str = ""
    resume_at: datetime | None = None


def outage(error: BackendAway, grace: timedelta, policy: OnOutage, started_at: datetime, now: datetime) -> Verdict:
    """An OAP that is away costs no rollout anything for `grace`; then the policy decides. Never Failed."""
    end = started_at + grace
    if now < end:
        resume_at = min(now + _backoff(now - started_at), end)
        return Verdict(Phase.RUNNING, error.reason, f"{error}; asking again until {_clock(end)}", resume_at)
    return Verdict(_ON_OUTAGE[policy], error.reason, f"{error}; away for {format_duration(grace)} (outageGrace)")


def silence(
    what: str, wait: timedelta, policy: OnNoData, started_at: datetime, now: datetime, next_bucket: datetime
) -> Verdict:
    """No data is waited for, then the policy decides; no condition is asked.

    Args:
        what: What was not found, and where.
        wait: maxWait.
        policy: onNoData.
        started_at: When the measurement began.
        now: Our clock.
        next_bucket: When the answer can change, on our clock.
    """
    end = started_at + wait
    if now < end:
        return Verdict(
            Phase.RUNNING, Reason.NO_DATA, f"{what}; waiting for data until {_clock(end)}", min(next_bucket, end)
        )
    waited = f"waited {format_duration(wait)} (maxWait)" if wait else "not waiting (maxWait: 0)"
    return Verdict(_ON_NO_DATA[policy], Reason.NO_DATA, f"{what}; {waited}")


def trouble(error: ProviderError) -> Verdict:
    """What never becomes right by waiting is an Error at once."""
    return Verdict(Phase.ERROR, error.reason, str(error))


def reason_of(phase: Phase, *, success: bool, failure: bool) -> Reason | None:
    """Why Argo's matrix gave a phase.

    Args:
        phase: The finished phase.
        success: Whether the metric has a successCondition.
        failure: Whether it has a failureCondition.
    """
    match phase:
        case Phase.FAILED if failure:
            return Reason.FAILURE_CONDITION_MET
        case Phase.FAILED if success:
            return Reason.CONDITION_NOT_MET
        case Phase.INCONCLUSIVE:
            return Reason.NEITHER_CONDITION_MET
        case Phase.ERROR:
            return Reason.CONDITION_ERROR
    return None


def _backoff(waited: timedelta) -> timedelta:
    return min(_RETRY_LAST, max(_RETRY_FIRST, waited / 4))


def _clock(instant: datetime) -> str:
    return instant.strftime("%H:%M:%S %z")
