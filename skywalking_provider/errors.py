"""Errors of a measurement: the closed set of reason codes, the failure kinds, and the exceptions that carry them."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Stable reason codes. Each message of a measurement begins with one; docs/reasons.md lists the hints."""

    BLOCK_INVALID = "BLOCK_INVALID"
    QUERY_INVALID = "QUERY_INVALID"
    BACKEND_NOT_FOUND = "BACKEND_NOT_FOUND"
    REQUEST_INVALID = "REQUEST_INVALID"
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
    WORSE_THAN_STABLE = "WORSE_THAN_STABLE"
    OBJECTIVE_MISSED = "OBJECTIVE_MISSED"
    ALARM_FIRED = "ALARM_FIRED"
    UNDECIDED = "UNDECIDED"
    COMPARES_ITSELF = "COMPARES_ITSELF"
    PROVIDER_INTERNAL = "PROVIDER_INTERNAL"


class FailureKind(StrEnum):
    """Causes of a `BackendUnavailableError`. `oap/failure_policy.py` defines how each is handled."""

    CONNECT = "connect"
    """No connection, or the connection closed before the response was complete."""
    DNS = "dns"
    """The host name of the OAP does not resolve."""
    UNTRUSTED_CERTIFICATE = "untrusted_certificate"
    """The certificate of the OAP is not trusted."""
    UNAVAILABLE = "unavailable"
    """HTTP 502, 503 or 504 from the OAP or from a proxy in front of it."""
    TIMEOUT = "timeout"
    """No response within the backend's `timeout`."""
    RATE_LIMITED = "rate_limited"
    """HTTP 408, 425 or 429: the request may succeed later."""
    SERVER_ERROR = "server_error"
    """HTTP 500, or another 5xx that is not UNAVAILABLE."""
    UNUSABLE_RESPONSE = "unusable_response"
    """A response that is not GraphQL, such as the HTML of a login page."""
    STORAGE_DOWN = "storage_down"
    """The OAP responded that its storage failed."""
    CIRCUIT_OPEN = "circuit_open"
    """No request was sent, because the circuit breaker is open."""
    DEADLINE = "deadline"
    """The deadline of the caller passed while a shared request was still in progress."""
    OVERLOADED = "overloaded"
    """A limit of the provider itself: request slots or condition evaluation."""
    LOCAL_CONFIG = "local_config"
    """No request was sent, because a local file (credentials, certificates) cannot be used."""


class RejectionKind(StrEnum):
    """Causes of a rejected query that the provider acts on."""

    COMPLEXITY = "complexity"
    """The query selects more fields than the OAP's maxQueryComplexity."""
    TOKENS = "tokens"
    """The text has more tokens than graphql-java parses."""
    METRIC_NOT_FOUND = "metric_not_found"
    """The expression names a metric that the OAP does not have."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Cause of a query that OAP rejected.

    Attributes:
        kind: The cause.
        limit: Limit that OAP names, such as its maxQueryComplexity; None if it names none.
    """

    kind: RejectionKind
    limit: int | None = None


class ProviderError(Exception):
    """A measurement that cannot be completed.

    Args:
        reason: Stable reason code.
        message: Problem and its place, in one line, without secrets.
        hint: Next step for the reader; may be empty.
        rejection: Why OAP rejected the query; None if the cause is not one that the provider acts on.
    """

    def __init__(self, reason: Reason, message: str, hint: str = "", *, rejection: Rejection | None = None) -> None:
        self.reason = reason
        self.message = message
        self.hint = hint
        self.rejection = rejection
        super().__init__(f"{message.removesuffix('.')}. {hint[0].upper()}{hint[1:]}" if hint else message)


class BackendUnavailableError(ProviderError):
    """No usable response now, and perhaps one later. The measurement waits as its block specifies.

    Args:
        message: Problem and its place, in one line, without secrets.
        hint: Next step for the reader; may be empty.
        kind: Cause of the failure.
        retry_after: Seconds to wait before a retry, from the header Retry-After; None if the response has none.
    """

    def __init__(self, message: str, hint: str = "", *, kind: FailureKind, retry_after: float | None = None) -> None:
        overloaded = kind is FailureKind.OVERLOADED
        super().__init__(Reason.PROVIDER_OVERLOADED if overloaded else Reason.OAP_UNAVAILABLE, message, hint)
        self.kind = kind
        self.retry_after = retry_after


class EntityNotFoundError(ProviderError):
    """An entity that OAP does not have. A new canary takes up to a minute to appear, so the measurement waits."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(Reason.ENTITY_NOT_FOUND, message, hint)
