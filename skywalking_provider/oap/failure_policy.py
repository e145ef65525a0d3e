"""Failure policy: one table that defines for each failure kind whether it is retried and counted, and its label."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap.observer import Outcome


class Retry(StrEnum):
    """Whether a failed request is sent again within its deadline."""

    NEVER = "never"
    BACKOFF = "backoff"
    """After a backoff; a longer Retry-After of the response replaces it."""
    BACKOFF_FULL_TIMEOUT = "backoff_full_timeout"
    """As BACKOFF, and only if a whole `timeout` fits before the deadline: the next attempt may be as slow."""
    RETRY_AFTER = "retry_after"
    """Only if the response has a Retry-After."""


class BreakerEffect(StrEnum):
    """Effect of a failure on the circuit breaker."""

    FAILURE = "failure"
    """Counts as one failure."""
    NO_RESPONSE = "no_response"
    """Counts if the server responded to no request since this one was sent. A health check decides whether the breaker
    opens, so that slow queries cannot open it."""
    RESPONSE = "response"
    """The server responded: the failures counted so far are cleared and the breaker closes."""
    NONE = "none"
    """The backend was not contacted."""


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """Handling of one failure kind.

    Attributes:
        retry: Whether the request is sent again.
        breaker: Effect on the circuit breaker.
        outcome: Label of the request in `backend_requests_total`.
    """

    retry: Retry
    breaker: BreakerEffect
    outcome: Outcome


FAILURE_POLICIES: Final[Mapping[FailureKind, FailurePolicy]] = {
    FailureKind.CONNECT: FailurePolicy(Retry.BACKOFF, BreakerEffect.FAILURE, Outcome.UNAVAILABLE),
    FailureKind.DNS: FailurePolicy(Retry.BACKOFF, BreakerEffect.FAILURE, Outcome.UNAVAILABLE),
    FailureKind.UNTRUSTED_CERTIFICATE: FailurePolicy(Retry.BACKOFF, BreakerEffect.FAILURE, Outcome.UNAVAILABLE),
    FailureKind.UNAVAILABLE: FailurePolicy(Retry.BACKOFF, BreakerEffect.FAILURE, Outcome.UNAVAILABLE),
    FailureKind.TIMEOUT: FailurePolicy(Retry.BACKOFF_FULL_TIMEOUT, BreakerEffect.NO_RESPONSE, Outcome.UNAVAILABLE),
    FailureKind.RATE_LIMITED: FailurePolicy(Retry.RETRY_AFTER, BreakerEffect.RESPONSE, Outcome.UNAVAILABLE),
    FailureKind.SERVER_ERROR: FailurePolicy(Retry.NEVER, BreakerEffect.RESPONSE, Outcome.UNAVAILABLE),
    FailureKind.UNUSABLE_RESPONSE: FailurePolicy(Retry.NEVER, BreakerEffect.RESPONSE, Outcome.UNAVAILABLE),
    FailureKind.STORAGE_DOWN: FailurePolicy(Retry.NEVER, BreakerEffect.RESPONSE, Outcome.UNAVAILABLE),
    FailureKind.CIRCUIT_OPEN: FailurePolicy(Retry.NEVER, BreakerEffect.NONE, Outcome.UNAVAILABLE),
    FailureKind.DEADLINE: FailurePolicy(Retry.NEVER, BreakerEffect.NONE, Outcome.UNAVAILABLE),
    FailureKind.OVERLOADED: FailurePolicy(Retry.NEVER, BreakerEffect.NONE, Outcome.UNAVAILABLE),
    FailureKind.LOCAL_CONFIG: FailurePolicy(Retry.NEVER, BreakerEffect.NONE, Outcome.UNAVAILABLE),
}

_OUTCOMES: Final[Mapping[Reason, Outcome]] = {
    Reason.OAP_REJECTED: Outcome.REJECTED,
    Reason.QUERY_INVALID: Outcome.QUERY_INVALID,
}


def classify_outcome(error: BaseException | None) -> Outcome:
    """Return the outcome of a request that ended with this error, or with None."""
    match error:
        case None:
            return Outcome.OK
        case BackendUnavailableError():
            return FAILURE_POLICIES[error.kind].outcome
        case ProviderError():
            return _OUTCOMES.get(error.reason, Outcome.RESPONSE_INVALID)
        case _:
            return Outcome.CANCELLED


def classify_breaker_effect(error: BaseException | None) -> BreakerEffect:
    """Return the effect on the circuit breaker of a request that ended with this error, or with None.

    A rejected query is a response. A cancelled request counts neither way.
    """
    match error:
        case BackendUnavailableError():
            return FAILURE_POLICIES[error.kind].breaker
        case None | ProviderError():
            return BreakerEffect.RESPONSE
        case _:
            return BreakerEffect.NONE


def is_contacted(error: BaseException | None) -> bool:
    """Return whether a request that ended with this error, or with None, was sent to the backend."""
    return not (
        isinstance(error, BackendUnavailableError) and FAILURE_POLICIES[error.kind].breaker is BreakerEffect.NONE
    )
