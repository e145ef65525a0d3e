"""Pairs of phase and reason that a measurement can have: the closed set of metric labels.

Every pair is exported from the start, so that alerts see a counter at 0 before its first increment.
"""

from collections.abc import Iterator

from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase

NO_REASON = "NONE"
"""Label value for the reason of a plain success."""

_NO_DATA = (Reason.NO_DATA, Reason.TOO_FEW_CALLS)
_UNAVAILABLE = (Reason.OAP_UNAVAILABLE, Reason.PROVIDER_OVERLOADED)
_CONDITION_REASONS = (
    Reason.CONDITION_NOT_MET,
    Reason.FAILURE_CONDITION_MET,
    Reason.NEITHER_CONDITION_MET,
)

_JUDGED_REASONS = (Reason.WORSE_THAN_STABLE, Reason.OBJECTIVE_MISSED, Reason.ALARM_FIRED)

_REASONS: dict[Phase, tuple[Reason, ...]] = {
    Phase.RUNNING: (*_UNAVAILABLE, *_NO_DATA, Reason.ENTITY_NOT_FOUND, Reason.UNDECIDED, Reason.ALARM_FIRED),
    Phase.SUCCESSFUL: _NO_DATA,
    Phase.FAILED: (Reason.CONDITION_NOT_MET, Reason.FAILURE_CONDITION_MET, *_JUDGED_REASONS, *_NO_DATA),
    Phase.INCONCLUSIVE: (Reason.NEITHER_CONDITION_MET, Reason.UNDECIDED, *_UNAVAILABLE, *_NO_DATA),
    Phase.ERROR: tuple(
        reason for reason in Reason if reason not in (*_CONDITION_REASONS, *_JUDGED_REASONS, Reason.UNDECIDED)
    ),
}


def phase_reason_pairs() -> Iterator[tuple[str, str]]:
    """Yield every pair of phase and reason."""
    yield Phase.SUCCESSFUL, NO_REASON
    for phase, reasons in _REASONS.items():
        for reason in reasons:
            yield phase, reason
