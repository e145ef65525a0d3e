"""Decisions: the phase of a measurement, and when it is resumed. No I/O; the clock is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from skywalking_provider.block import OnNoData, OnOutage
from skywalking_provider.errors import BackendUnavailableError, EntityNotFoundError, ProviderError, Reason
from skywalking_provider.model import Phase
from skywalking_provider.support.durations import format_duration
from skywalking_provider.support.instants import format_time

_MIN_RETRY_DELAY = timedelta(seconds=5)
_MAX_RETRY_DELAY = timedelta(seconds=60)
_RETRY_FRACTION = 4
"""An outage is retried after a quarter of its duration so far."""

_ON_NO_DATA = {
    OnNoData.INCONCLUSIVE: Phase.INCONCLUSIVE,
    OnNoData.ERROR: Phase.ERROR,
    OnNoData.FAILED: Phase.FAILED,
    OnNoData.SUCCESSFUL: Phase.SUCCESSFUL,
}
_ON_OUTAGE = {OnOutage.INCONCLUSIVE: Phase.INCONCLUSIVE, OnOutage.ERROR: Phase.ERROR}


@dataclass(frozen=True, slots=True)
class Verdict:
    """State of a measurement with its reason.

    Attributes:
        phase: Running with `resume_at`, or a completed phase.
        reason: Reason code; None for a plain success.
        detail: Description in one line, without the code; empty for a plain success.
        resume_at: Time of the next attempt on this process's clock; None for a completed measurement.
    """

    phase: Phase
    reason: Reason | None = None
    detail: str = ""
    resume_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WaitBudget:
    """Time during which a measurement waits for data. All times are on this process's clock.

    Attributes:
        wait: Length of the budget (maxWait).
        starts_at: Start of the budget.
        now: Current time.
        next_bucket: Time at which the next bucket closes. Until then the result cannot change.
    """

    wait: timedelta
    starts_at: datetime
    now: datetime
    next_bucket: datetime

    @property
    def end(self) -> datetime:
        """End of the budget."""
        return self.starts_at + self.wait

    @property
    def exhausted(self) -> bool:
        """Whether the budget has ended."""
        return self.now >= self.end


def on_backend_unavailable(
    error: BackendUnavailableError, grace: timedelta, policy: OnOutage, started_at: datetime, now: datetime
) -> Verdict:
    """Decide on an unavailable backend: retry within `outageGrace`, then apply `onOutage`. It is never Failed.

    Args:
        error: Failure of the backend.
        grace: `outageGrace` of the block.
        policy: `onOutage` of the block.
        started_at: Start of the measurement.
        now: Clock of this process.
    """
    end = started_at + grace
    if now < end:
        resume_at = min(now + _retry_delay(now - started_at), end)
        return Verdict(Phase.RUNNING, error.reason, f"{error} · retrying until {_format_time(end, now)}", resume_at)
    detail = f"{error} · unavailable for {format_duration(grace)} (outageGrace)"
    return Verdict(_ON_OUTAGE[policy], error.reason, detail)


def on_missing_data(reason: Reason, message: str, policy: OnNoData, wait_budget: WaitBudget) -> Verdict:
    """Decide on missing data or too few calls: wait, then apply `onNoData`. No condition is evaluated.

    Args:
        reason: NO_DATA or TOO_FEW_CALLS.
        message: Description of the missing data.
        policy: `onNoData` of the block.
        wait_budget: Time during which data is waited for.
    """
    if not wait_budget.exhausted:
        return _running_verdict(reason, message, wait_budget)
    return Verdict(_ON_NO_DATA[policy], reason, f"{message} · {_format_wait(wait_budget)}")


def on_entity_not_found(error: EntityNotFoundError, wait_budget: WaitBudget, cause: str = "") -> Verdict:
    """Decide on an entity that OAP does not list: wait, because it may be new, then return an Error.

    Args:
        error: The missing entity.
        wait_budget: Time during which it is waited for.
        cause: Likely cause; empty if it is not known.
    """
    detail = f"{error} · {cause}" if cause else str(error)
    if not wait_budget.exhausted:
        return _running_verdict(error.reason, detail, wait_budget)
    return Verdict(Phase.ERROR, error.reason, f"{detail} · {_format_wait(wait_budget)}")


def on_undecided(message: str, wait_budget: WaitBudget) -> Verdict:
    """Decide on a judgement that is still open: wait for further minutes, then return Inconclusive.

    Args:
        message: Description of the evidence so far.
        wait_budget: Time during which minutes are waited for.
    """
    if not wait_budget.exhausted:
        return _running_verdict(Reason.UNDECIDED, message, wait_budget)
    return Verdict(Phase.INCONCLUSIVE, Reason.UNDECIDED, f"{message} · {_format_wait(wait_budget)}")


def on_firing(message: str, wait_budget: WaitBudget) -> Verdict:
    """Decide on an alarm from before the window that may last: wait for its end, then return Failed.

    Args:
        message: Description of the alarm.
        wait_budget: Time during which its end is waited for.
    """
    if not wait_budget.exhausted:
        return _running_verdict(Reason.ALARM_FIRED, message, wait_budget)
    return Verdict(Phase.FAILED, Reason.ALARM_FIRED, f"{message} · {_format_wait(wait_budget)}")


def on_error(error: ProviderError) -> Verdict:
    """Decide on a permanent error: return an Error without waiting."""
    return Verdict(Phase.ERROR, error.reason, str(error))


def select_reason(phase: Phase, *, success: bool, failure: bool) -> Reason | None:
    """Return the reason code of evaluated conditions.

    Args:
        phase: Phase that Argo's rules give.
        success: Whether the metric has a success condition.
        failure: Whether the metric has a failure condition.
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
    detail = f"{message} · waiting until {_format_time(wait_budget.end, wait_budget.now)}"
    return Verdict(Phase.RUNNING, reason, detail, min(wait_budget.next_bucket, wait_budget.end))


def _format_wait(wait_budget: WaitBudget) -> str:
    return f"waited {format_duration(wait_budget.wait)} (maxWait)" if wait_budget.wait else "not waiting (maxWait: 0)"


def _retry_delay(elapsed: timedelta) -> timedelta:
    return min(_MAX_RETRY_DELAY, max(_MIN_RETRY_DELAY, elapsed / _RETRY_FRACTION))


def _format_time(instant: datetime, now: datetime) -> str:
    return format_time(instant, now, "%H:%M:%S %z")
