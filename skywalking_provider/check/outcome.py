"""Exit codes: 0 Successful, 1 Failed, 2 wrong use or Error, 3 the OAP answers not as it should, 4 undecided. Pure."""

from collections.abc import Iterable

from skywalking_provider.check.measuring import Checked
from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase

OK, FAILED, WRONG, BACKEND, UNDECIDED = range(5)

_OF_THE_BACKEND = (Reason.OAP_UNAVAILABLE, Reason.OAP_REJECTED, Reason.OAP_RESPONSE_INVALID)
_FROM_BAD_TO_GOOD = (FAILED, WRONG, BACKEND, UNDECIDED, OK)  # as Argo sorts phases: Failed before Error


def code_of(checked: Checked) -> int:
    """The code of one metric."""
    if checked.reason in _OF_THE_BACKEND:
        return BACKEND
    match checked.measurement.phase:
        case Phase.SUCCESSFUL:
            return OK
        case Phase.FAILED:
            return FAILED
        case Phase.ERROR:
            return WRONG
    return UNDECIDED


def worst(codes: Iterable[int]) -> int:
    """The code of several metrics."""
    return min(codes, key=_FROM_BAD_TO_GOOD.index, default=OK)
