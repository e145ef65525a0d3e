"""From facts to a verdict: phases by Argo's matrix, waiting, and what trouble means. Pure: the clock is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from skywalking_provider.errors import BackendAway, NotYetKnown, ProviderError, Reason
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


@dataclass(frozen=True, slots=True)
class Patience:
    """How long data is waited for.

    Attributes:
        wait: maxWait.
        counted_from: From when, on our clock.
        now: Our clock.
        next_bucket: When the answer can change, on our clock.
    """

    wait: timedelta
    counted_from: datetime
    now: datetime
    next_bucket: datetime

    @property
    def end(self) -> datetime:
        """Until when."""
        return self.counted_from + self.wait

    @property
    def over(self) -> bool:
        """Whether there is none left."""
        return self.now >= self.end


def silence(reason: Reason, what: str, policy: OnNoData, patience: Patience) -> Verdict:
    """No data, or too few calls: waited for, then the policy decides; no condition is asked.

    Args:
        reason: NO_DATA or TOO_FEW_CALLS.
        what: What was not found, and where.
        policy: onNoData.
        patience: How long.
    """
    if not patience.over:
        return _waiting(reason, what, patience)
    return Verdict(_ON_NO_DATA[policy], reason, f"{what}; {_waited(patience)}")


def unknown(error: NotYetKnown, patience: Patience) -> Verdict:
    """An entity that OAP does not know may be new: waited for, then an Error with the nearest names."""
    if not patience.over:
        return _waiting(error.reason, str(error), patience)
    return Verdict(Phase.ERROR, error.reason, f"{error}; {_waited(patience)}")


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


def _waiting(reason: Reason, what: str, patience: Patience) -> Verdict:
    until = f"{what}; waiting until {_clock(patience.end)}"
    return Verdict(Phase.RUNNING, reason, until, min(patience.next_bucket, patience.end))


def _waited(patience: Patience) -> str:
    return f"waited {format_duration(patience.wait)} (maxWait)" if patience.wait else "not waiting (maxWait: 0)"


def _backoff(waited: timedelta) -> timedelta:
    return min(_RETRY_LAST, max(_RETRY_FIRST, waited / 4))


def _clock(instant: datetime) -> str:
    return instant.strftime("%H:%M:%S %z")
