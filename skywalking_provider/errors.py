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
        message: What is wrong and where, one line, no secrets.
        hint: What to do about it; may be empty.
    """

    def __init__(self, reason: Reason, message: str, hint: str = "") -> None:
        self.reason = reason
        self.message = message
        self.hint = hint
        super().__init__(f"{message.removesuffix('.')}: {hint}" if hint else message)


class FailureKind(StrEnum):
    """In which way a backend is away: what another attempt may be worth."""

    CONNECT = "unreachable"
    """No connection, or it broke before the answer was there."""
    UNAVAILABLE = "unavailable"
    """502, 503 or 504: somebody before the OAP, or the OAP itself, says so."""
    TIMEOUT = "late"
    """No answer in time."""
    OTHER = "other"
    """It answered, with nothing usable; or was not asked."""


class BackendUnavailableError(ProviderError):
    """Somebody cannot answer now and may later: mostly the backend, unreachable, 5xx, no GraphQL, too late."""

    def __init__(
        self,
        message: str,
        hint: str = "",
        reason: Reason = Reason.OAP_UNAVAILABLE,
        kind: FailureKind = FailureKind.OTHER,
    ) -> None:
        super().__init__(reason, message, hint)
        self.kind = kind


class EntityNotFoundError(ProviderError):
    """OAP does not know an entity that is well written: a new canary takes up to a minute to appear."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(Reason.ENTITY_NOT_FOUND, message, hint)
