"""Which phases come with which reasons: the closed set of labels, so that every series is there from the start."""

from collections.abc import Iterator

from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase

NO_REASON = "NONE"
"""The reason of a plain success, as a label."""

_SILENT = (Reason.NO_DATA, Reason.TOO_FEW_CALLS)
_AWAY = (Reason.OAP_UNAVAILABLE, Reason.PROVIDER_OVERLOADED)
_JUDGED = (
    Reason.CONDITION_NOT_MET,
    Reason.FAILURE_CONDITION_MET,
    Reason.NEITHER_CONDITION_MET,
)

_REASONS: dict[Phase, tuple[Reason, ...]] = {
    Phase.RUNNING: (*_AWAY, *_SILENT, Reason.ENTITY_NOT_FOUND),
    Phase.SUCCESSFUL: _SILENT,
    Phase.FAILED: (Reason.CONDITION_NOT_MET, Reason.FAILURE_CONDITION_MET, *_SILENT),
    Phase.INCONCLUSIVE: (Reason.NEITHER_CONDITION_MET, *_AWAY, *_SILENT),
    Phase.ERROR: tuple(reason for reason in Reason if reason not in _JUDGED),
}


def outcomes() -> Iterator[tuple[str, str]]:
    """Every pair of phase and reason that a measurement can have."""
    yield Phase.SUCCESSFUL, NO_REASON
    for phase, reasons in _REASONS.items():
        for reason in reasons:
            yield phase, reason
