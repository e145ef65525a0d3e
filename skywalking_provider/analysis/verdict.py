"""From facts to a verdict: phases by Argo's matrix, waiting, and what trouble means. Pure: the clock is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from skywalking_provider.block import OnNoData, OnOutage
from skywalking_provider.errors import BackendUnavailableError, EntityNotFoundError, ProviderError, Reason
from skywalking_provider.model import Phase
from skywalking_provider.support.durations import format_duration

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
        detail: One line without the code; empty for a plain success.
        resume_at: On our own clock.
    """

    phase: Phase
    reason: Reason | None = None
    detail: str = ""
    resume_at: datetime | None = None


def on_backend_unavailable(
    error: BackendUnavailableError, grace: timedelta, policy: OnOutage, started_at: datetime, now: datetime
) -> Verdict:
    """An OAP that is away costs no rollout anything for `grace`; then the policy decides. Never Failed."""
    end = started_at + grace
    if now < end:
        resume_at = min(now + _backoff(now - started_at), end)
        return Verdict(Phase.RUNNING, error.reason, f"{error}; asking again until {_format_time(end)}", resume_at)
    return Verdict(_ON_OUTAGE[policy], error.reason, f"{error}; away for {format_duration(grace)} (outageGrace)")


@dataclass(frozen=True, slots=True)
class WaitBudget:
    """How long data is waited for.

    Attributes:
        wait: maxWait.
        starts_at: From when, on our clock.
        now: Our clock.
        next_bucket: When the answer can change, on our clock.
    """

    wait: timedelta
    starts_at: datetime
    now: datetime
    next_bucket: datetime

    @property
    def end(self) -> datetime:
        """Until when."""
        return self.starts_at + self.wait

    @property
    def exhausted(self) -> bool:
        """Whether there is none left."""
        return self.now >= self.end


def on_missing_data(reason: Reason, message: str, policy: OnNoData, wait_budget: WaitBudget) -> Verdict:
    """No data, or too few calls: waited for, then the policy decides; no condition is asked.

    Args:
        reason: NO_DATA or TOO_FEW_CALLS.
        message: What was not found, and where.
        policy: onNoData.
        wait_budget: How long.
    """
    if not wait_budget.exhausted:
        return _running_verdict(reason, message, wait_budget)
    return Verdict(_ON_NO_DATA[policy], reason, f"{message}; {_format_wait(wait_budget)}")


def on_entity_not_found(error: EntityNotFoundError, wait_budget: WaitBudget) -> Verdict:
    """An entity that OAP does not know may be new: waited for, then an Error with the nearest names."""
    if not wait_budget.exhausted:
        return _running_verdict(error.reason, str(error), wait_budget)
    return Verdict(Phase.ERROR, error.reason, f"{error}; {_format_wait(wait_budget)}")


def on_error(error: ProviderError) -> Verdict:
    """What never becomes right by waiting is an Error at once."""
    return Verdict(Phase.ERROR, error.reason, str(error))


def select_reason(phase: Phase, *, success: bool, failure: bool) -> Reason | None:
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


def _running_verdict(reason: Reason, message: str, wait_budget: WaitBudget) -> Verdict:
    until = f"{message}; waiting until {_format_time(wait_budget.end)}"
    return Verdict(Phase.RUNNING, reason, until, min(wait_budget.next_bucket, wait_budget.end))


def _format_wait(wait_budget: WaitBudget) -> str:
    return f"waited {format_duration(wait_budget.wait)} (maxWait)" if wait_budget.wait else "not waiting (maxWait: 0)"


def _backoff(elapsed: timedelta) -> timedelta:
    return min(_RETRY_LAST, max(_RETRY_FIRST, elapsed / 4))


def _format_time(instant: datetime) -> str:
    return instant.strftime("%H:%M:%S %z")
