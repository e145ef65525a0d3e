"""Batching: series share requests within the limits of an OAP, and a failing series is found."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graphql import parse
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import (
    BackendUnavailableError,
    FailureKind,
    ProviderError,
    Reason,
    Rejection,
    RejectionKind,
)
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.mock_oap.request_limits import complexity, token_over_limit
from skywalking_provider.model import Entity, Window
from skywalking_provider.oap import open_backends
from skywalking_provider.oap.api.batching import (
    BatchLimits,
    max_batch_size,
    reserve_lists,
    split_evenly,
    tightened_limits,
)
from skywalking_provider.oap.api.inventory import InventoryService
from skywalking_provider.oap.api.metric_values import SeriesRequest, build_request
from skywalking_provider.oap.api.request import GraphqlRequest
from tests.oap.virtual_time import (
    NOON,
    ScriptedClient,
    deadline_after,
    in_virtual_time,
    monotonic,
    open_scripted_backends,
)

END = NOON.replace(second=0)
TEN_MINUTES = Window(END - timedelta(minutes=10), END)


def series(count: int, *, labeled: bool = False) -> list[SeriesRequest]:
    return [
        SeriesRequest(f"e{at}", "service_cpm", Entity("reviews", instance=f"pod-{at}"), labeled) for at in range(count)
    ]


def aliases(read: GraphqlRequest) -> list[str]:
    return [name.removesuffix("_entity") for name in read.variables if name.endswith("_entity")]


@pytest.mark.parametrize("mqe", [True, False])
@pytest.mark.parametrize("labeled", [True, False])
@pytest.mark.parametrize("fields", [1000, 3000, 100_000])
def test_largest_batch_is_within_the_limits_of_a_real_oap(mqe: bool, labeled: bool, fields: int) -> None:
    requests = series(5000, labeled=labeled)
    count = max_batch_size(requests, TEN_MINUTES, BatchLimits(fields=fields, points=10**9), mqe=mqe)

    query = build_request(requests[:count], TEN_MINUTES, mqe=mqe).query

    document = parse(query)
    assert complexity(document, document.definitions[0]) <= fields  # type: ignore[arg-type]
    assert token_over_limit(query) is None
    assert count > 0.9 * min(fields / (11 if mqe else 6), 15_000 / 48)


@pytest.mark.parametrize("mqe", [True, False])
@pytest.mark.parametrize("lists", [1, 2])
@pytest.mark.parametrize("fields", [100, 1000, 3000, 100_000])
def test_largest_batch_with_lists_is_within_the_limits_of_a_real_oap(mqe: bool, lists: int, fields: int) -> None:
    services = {f"instances{at}": InventoryService(f"id{at}", "reviews", (), normal=True) for at in range(lists)}
    requests = series(5000)
    limits = reserve_lists(BatchLimits(fields=fields, points=10**9), lists, 1000)
    count = max_batch_size(requests, TEN_MINUTES, limits, mqe=mqe)

    query = build_request(requests[:count], TEN_MINUTES, mqe=mqe, instances_of=services).query

    document = parse(query)
    assert complexity(document, document.definitions[0]) <= fields  # type: ignore[arg-type]
    assert token_over_limit(query) is None


def test_lists_leave_less_of_the_response_to_series() -> None:
    assert reserve_lists(BatchLimits(points=1000), 1, 6400).points == 900


@in_virtual_time
async def test_series_are_not_read_with_lists_beyond_the_limits() -> None:
    oap = refusing(lambda _: None)
    service = InventoryService("id", "reviews", (), normal=True)
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        for count, characters, read in ((90, 100, True), (91, 100, False), (1, 64 * 1024 * 1024, False)):
            result = await backend.series_with_instances(
                series(count), {"instances0": service}, characters, TEN_MINUTES, deadline_after(5), mqe=True
            )
            assert (result is not None) == read

    assert len(oap.requests) == 1


def test_long_windows_have_smaller_batches() -> None:
    window = Window(END - timedelta(minutes=500), END)

    assert max_batch_size(series(80), window, BatchLimits(), mqe=True) == 90
    assert max_batch_size(series(80, labeled=True), window, BatchLimits(), mqe=True) == 26


@given(st.integers(1, 400), st.integers(1, 100))
def test_batches_are_few_even_and_in_order(count: int, most: int) -> None:
    requests = series(count)
    batches = split_evenly(requests, most)

    assert [one for batch in batches for one in batch] == requests
    assert len(batches) == -(-count // most)
    assert max(map(len, batches)) <= most
    assert max(map(len, batches)) - min(map(len, batches)) <= 1


@given(st.integers(1, 5000), st.integers(1, 5000), st.booleans())
def test_batch_limits_after_a_rejection_never_grow(limit: int, size: int, mqe: bool) -> None:
    too_complex = Rejection(RejectionKind.COMPLEXITY, limit)

    assert tightened_limits(BatchLimits(), too_complex, size, mqe=mqe).fields == min(1000, limit)
    assert tightened_limits(BatchLimits(), Rejection(RejectionKind.TOKENS), size, mqe=mqe).tokens <= 15_000
    assert tightened_limits(BatchLimits(), None, size, mqe=mqe) == BatchLimits()


@in_virtual_time
async def test_batches_are_read_two_at_a_time() -> None:
    async def a_second(read: GraphqlRequest) -> dict[str, Any]:
        await asyncio.sleep(1)
        return dict.fromkeys(aliases(read), 1)

    oap = ScriptedClient(a_second)
    async with open_scripted_backends({"prod": oap}) as backends:
        result = await backends.select(None, None, "team").series(series(200), TEN_MINUTES, deadline_after(5), mqe=True)

    assert monotonic() == 2.0
    assert oap.max_in_flight == 2
    assert len(oap.requests) == len(result.requests) == 3
    assert len(result.data) == 200


def refusing(bad: Callable[[list[str]], str | None]) -> ScriptedClient:
    """Build an OAP that returns all aliases, or rejects the request with an error."""

    async def script(read: GraphqlRequest) -> dict[str, Any]:
        if error_text := bad(aliases(read)):
            raise ProviderError(Reason.QUERY_INVALID, f"graphql: {error_text}")
        return dict.fromkeys(aliases(read), 1)

    return ScriptedClient(script)


@given(st.integers(2, 90), st.data())
def test_failing_series_is_found_with_few_requests_and_named(count: int, data: st.DataObject) -> None:
    failing = data.draw(st.integers(0, count - 1))

    @in_virtual_time
    async def read() -> None:
        oap = refusing(lambda names: "mismatched input" if f"e{failing}" in names else None)
        async with open_scripted_backends({"prod": oap}) as backends:
            with pytest.raises(ProviderError) as error:
                await backends.select(None, None, "team").series(
                    series(count), TEN_MINUTES, deadline_after(5), mqe=True
                )
        assert str(error.value) == f"service_cpm of pod-{failing}: graphql: mismatched input"
        assert len(oap.requests) <= 1 + 2 * (count - 1).bit_length()

    read()


@in_virtual_time
async def test_first_failing_series_ends_the_bisection() -> None:
    oap = refusing(lambda _: "mismatched input")
    async with open_scripted_backends({"prod": oap}) as backends:
        with pytest.raises(ProviderError, match="service_cpm of pod-0: graphql: mismatched input"):
            await backends.select(None, None, "team").series(series(64), TEN_MINUTES, deadline_after(5), mqe=True)

    assert len(oap.requests) == 7


@in_virtual_time
async def test_series_that_fails_only_in_a_large_batch_is_read() -> None:
    oap = refusing(lambda names: "too many" if len(names) > 20 else None)
    async with open_scripted_backends({"prod": oap}) as backends:
        result = await backends.select(None, None, "team").series(series(64), TEN_MINUTES, deadline_after(5), mqe=True)

    assert list(result.data) == [f"e{at}" for at in range(64)]
    assert [len(aliases(read)) for read in result.requests] == [16] * 4


@in_virtual_time
async def test_unavailable_backend_is_not_bisected() -> None:
    async def fail(_: GraphqlRequest) -> dict[str, Any]:
        raise BackendUnavailableError("the storage of backend prod is down", kind=FailureKind.STORAGE_DOWN)

    oap = ScriptedClient(fail)
    async with open_scripted_backends({"prod": oap}) as backends:
        with pytest.raises(BackendUnavailableError):
            await backends.select(None, None, "team").series(series(64), TEN_MINUTES, deadline_after(5), mqe=True)

    assert len(oap.requests) == 1


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0", "10.1.0"])
async def test_complexity_limit_of_an_oap_is_taken_from_one_rejection(version: str) -> None:
    async with MockOap(version=version, max_complexity=100) as oap:
        config = BackendConfig.model_validate(
            {"url": oap.url, "timeout": "60s", "cache": {"responseTtl": "0s", "verdictTtl": "0s"}}
        )
        async with open_backends({"prod": config}, lambda: datetime.now(UTC)) as backends:
            backend = backends.select(None, None, "team")
            mqe = (await backend.connection.features(deadline_after(60))).supports_mqe
            before = len(oap.requests)
            for _ in range(2):
                result = await backend.series(series(40), TEN_MINUTES, deadline_after(60), mqe=mqe)
                assert len(result.data) == 40
            fit = 100 // (11 if mqe else 6)
            assert len(oap.requests) - before == 1 + 2 * -(-40 // fit)
