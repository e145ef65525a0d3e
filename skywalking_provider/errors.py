"""What can go wrong in one measurement: the closed set of reasons, and the one exception that carries them."""

from enum import StrEnum


class Reason(StrEnum):
    """Stable reason codes: they begin the message of a measurement (docs/reasons.md has the remedies)."""

    BLOCK_INVALID = "BLOCK_INVALID"
    QUERY_INVALID = "QUERY_INVALID"
    BACKEND_NOT_FOUND = "BACKEND_NOT_FOUND"
    OAP_UNAVAILABLE = "OAP_UNAVAILABLE"
    PROVIDER_OVERLOADED = "PROVIDER_OVERLOADED"
    OAP_REJECTED = "OAP_REJECTED"
    OAP_RESPONSE_INVALID = "OAP_RESPONSE_INVALID"
    NO_DATA = "NO_DATA"
    TOO_FEW_CALLS = "TOO_FEW_CALLS"
    ENTITY_NOT_FOUND = "ENTITY_NOT_FOUND"
    METRIC_UNAVAILABLE = "METRIC_UNAVAILABLE"
    CONDITION_ERROR = "CONDITION_ERROR"
    CONDITION_NOT_MET = "CONDITION_NOT_MET"
    FAILURE_CONDITION_MET = "FAILURE_CONDITION_MET"
    NEITHER_CONDITION_MET = "NEITHER_CONDITION_MET"
    PROVIDER_INTERNAL = "PROVIDER_INTERNAL"


class ProviderError(Exception):
    """A measurement that cannot be finished as asked.

    Args:
        reason: The stable code.
        what: What is wrong and where, one line, no secrets.
        remedy: What to do about it; may be empty.
    """

    def __init__(self, reason: Reason, what: str, remedy: str = "") -> None:
        self.reason = reason
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what.removesuffix('.')}: {remedy}" if remedy else what)


class Away(StrEnum):
    """In which way a backend is away: what another attempt may be worth."""

    UNREACHABLE = "unreachable"
    """No connection, or it broke before the answer was there."""
    UNAVAILABLE = "unavailable"
    """502, 503 or 504: somebody before the OAP, or the OAP itself, says so."""
    LATE = "late"
    """No answer in time."""
    OTHER = "other"
    """It answered, with nothing usable; or was not asked."""


class BackendAway(ProviderError):  # noqa: N818 - a state of the backend, named as the design names it
    """Somebody cannot answer now and may later: mostly the backend, unreachable, 5xx, no GraphQL, too late."""

    def __init__(
        self, what: str, remedy: str = "", reason: Reason = Reason.OAP_UNAVAILABLE, how: Away = Away.OTHER
    ) -> None:
        super().__init__(reason, what, remedy)
        self.how = how


class NotYetKnown(ProviderError):  # noqa: N818 - as above
    """OAP does not know an entity that is well written: a new canary takes up to a minute to appear."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(Reason.ENTITY_NOT_FOUND, what, remedy)
