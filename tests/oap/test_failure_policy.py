"""Failure kinds: each has a policy, and faults of the provider itself never count against a backend."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.model import Deadline
from skywalking_provider.oap import Backend, Observer, open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.failure_policy import (
    FAILURE_POLICIES,
    BreakerEffect,
    Retry,
    classify_breaker_effect,
    classify_outcome,
    is_contacted,
)
from skywalking_provider.oap.observer import Circuit, Outcome

REQUEST = GraphqlRequest("query { metrics: listMetrics { name } }", {})
NOT_CONTACTED = {
    FailureKind.CIRCUIT_OPEN,
    FailureKind.DEADLINE,
    FailureKind.LOCAL_CONFIG,
    FailureKind.OVERLOADED,
}


class CircuitLog(Observer):
    def __init__(self) -> None:
        self.states: list[Circuit] = []

    def circuit_changed(self, _: str, state: Circuit) -> None:
        self.states.append(state)


def test_every_failure_kind_has_a_policy() -> None:
    assert set(FAILURE_POLICIES) == set(FailureKind)


@pytest.mark.parametrize("kind", FailureKind)
def test_failure_kind_that_sends_no_request_is_neither_retried_nor_counted(kind: FailureKind) -> None:
    error = BackendUnavailableError("", kind=kind)

    assert is_contacted(error) == (kind not in NOT_CONTACTED)
    assert classify_outcome(error) is Outcome.UNAVAILABLE
    if kind in NOT_CONTACTED:
        assert FAILURE_POLICIES[kind].retry is Retry.NEVER
        assert classify_breaker_effect(error) is BreakerEffect.NONE


def test_rate_limit_does_not_count_for_the_breaker() -> None:
    assert FAILURE_POLICIES[FailureKind.RATE_LIMITED].breaker is BreakerEffect.RESPONSE


@pytest.mark.parametrize(
    ("error", "effect", "outcome"),
    [
        (None, BreakerEffect.RESPONSE, Outcome.OK),
        (ProviderError(Reason.QUERY_INVALID, ""), BreakerEffect.RESPONSE, Outcome.QUERY_INVALID),
        (ProviderError(Reason.OAP_RESPONSE_INVALID, ""), BreakerEffect.RESPONSE, Outcome.RESPONSE_INVALID),
        (RuntimeError(), BreakerEffect.NONE, Outcome.CANCELLED),
    ],
)
def test_other_ends_of_a_request_have_an_effect_and_an_outcome(
    error: BaseException | None, effect: BreakerEffect, outcome: Outcome
) -> None:
    assert (classify_breaker_effect(error), classify_outcome(error)) == (effect, outcome)
    assert is_contacted(error)


async def fail_locally(backend: Backend) -> FailureKind:
    with pytest.raises(BackendUnavailableError) as error:
        await backend.connection.time(Deadline.after(60))  # as the provider itself requests it, without a namespace
    with pytest.raises(BackendUnavailableError):
        await backend.read(REQUEST, Deadline.after(60))
    return error.value.kind


@pytest.mark.parametrize("content", [None, b"a\nb", b"\xff"])
async def test_unusable_token_file_never_touches_the_breaker(tmp_path: Path, content: bytes | None) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    await _fail_then_repair({"bearer": {"tokenFile": str(token)}}, lambda: token.write_text("good"))


async def test_broken_ca_file_never_touches_the_breaker(tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_text("not a certificate")
    log = CircuitLog()
    config = BackendConfig.model_validate(
        {"url": "https://127.0.0.1:1", "circuit": {"failures": 1}, "tls": {"caFile": str(authority)}}
    )
    async with open_backends({"prod": config}, lambda: datetime.now(UTC), observer=log) as backends:
        backend = backends.select(None, None, "team")
        for _ in range(5):
            assert await fail_locally(backend) is FailureKind.LOCAL_CONFIG

    assert log.states == []


async def _fail_then_repair(keys: dict[str, Any], repair: Any) -> None:
    log = CircuitLog()
    async with MockOap() as oap:
        config = BackendConfig.model_validate({"url": oap.url, "timeout": "60s", "circuit": {"failures": 1}} | keys)
        async with open_backends({"prod": config}, lambda: datetime.now(UTC), observer=log) as backends:
            backend = backends.select(None, None, "team")
            for _ in range(5):
                assert await fail_locally(backend) is FailureKind.LOCAL_CONFIG
            assert oap.requests == []

            repair()
            await backend.connection.time(Deadline.after(60))

    assert log.states == []
