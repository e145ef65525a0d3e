"""Exit codes: 0 Successful, 1 Failed, 2 wrong use or Error, 3 the OAP answers not as it should, 4 undecided. Pure."""

from collections.abc import Iterable

from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase
from skywalking_provider.tools.check.runner import CheckResult

OK, FAILED, ERROR, BACKEND_ERROR, UNDECIDED = range(5)

_BACKEND_REASONS = (Reason.OAP_UNAVAILABLE, Reason.OAP_REJECTED, Reason.OAP_RESPONSE_INVALID)
_WORST_FIRST = (FAILED, ERROR, BACKEND_ERROR, UNDECIDED, OK)  # as Argo sorts phases: Failed before Error


def exit_code(check_result: CheckResult) -> int:
    """The code of one metric."""
    if check_result.reason in _BACKEND_REASONS:
        return BACKEND_ERROR
    match check_result.measurement.phase:
        case Phase.SUCCESSFUL:
            return OK
        case Phase.FAILED:
            return FAILED
        case Phase.ERROR:
            return ERROR
    return UNDECIDED


def worst_exit_code(codes: Iterable[int]) -> int:
    """The code of several metrics."""
    return min(codes, key=_WORST_FIRST.index, default=OK)
