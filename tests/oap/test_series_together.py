"""The series of a measurement travel together, inside the limits of an OAP, and one bad one is found out."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graphql import parse
from hypothesis import given
from hypothesis import strategies as st
from virtual import NOON, Scripted, backends_of, in_virtual_time, monotonic

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendAway, ProviderError, Reason
from skywalking_provider.forms.aliases import Limits, fitting, learned, parted
from skywalking_provider.forms.metrics import Wanted, read_of
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.mock_oap.limits import complexity, token_over_limit
from skywalking_provider.model import Deadline, Entity, Window
from skywalking_provider.oap import open_backends
from skywalking_provider.plan import Read

END = NOON.replace(second=0)
TEN_MINUTES = Window(END - timedelta(minutes=10), END)


def series(count: int, *, labeled: bool = False) -> list[Wanted]:
    return [Wanted(f"e{at}", "service_cpm", Entity("reviews", instance=f"pod-{at}"), labeled) for at in range(count)]


def aliases(read: Read) -> list[str]:
    return [name.removesuffix("_entity") for name in read.variables if name.endswith("_entity")]


@pytest.mark.parametrize("mqe", [True, False])
@pytest.mark.parametrize("labeled", [True, False])
@pytest.mark.parametrize("fields", [1000, 3000, 100_000])
def test_as_many_as_fit_are_inside_the_limits_of_a_real_oap(mqe: bool, labeled: bool, fields: int) -> None:
    wanted = series(5000, labeled=labeled)
    count = fitting(wanted, TEN_MINUTES, Limits(fields=fields, points=10**9), mqe=mqe)

    query = read_of(wanted[:count], TEN_MINUTES, mqe=mqe).query

    document = parse(query)
    assert complexity(document, document.definitions[0]) <= fields  # type: ignore[arg-type]
    assert token_over_limit(query) is None
    assert count > 0.9 * min(fields / (11 if mqe else 6), 15_000 / 48)


def test_long_windows_travel_in_more_requests_so_that_no_answer_is_too_long() -> None:
    window = Window(END - timedelta(minutes=500), END)

    assert fitting(series(80), window, Limits(), mqe=True) == 90
    assert fitting(series(80, labeled=True), window, Limits(), mqe=True) == 26


@given(st.integers(1, 400), st.integers(1, 100))
def test_parts_are_few_even_and_in_order(count: int, most: int) -> None:
    wanted = series(count)
    parts = parted(wanted, most)

    assert [one for part in parts for one in part] == wanted
    assert len(parts) == -(-count // most)
    assert max(map(len, parts)) <= most
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(st.integers(1, 5000), st.integers(1, 5000), st.booleans())
def test_what_an_oap_refused_is_learned_and_never_made_larger(told: int, asked: int, mqe: bool) -> None:
    words = f"graphql: maximum query complexity exceeded {told + 1} > {told}"

    limits = learned(Limits(), words, asked, mqe=mqe)

    assert limits.fields == min(1000, told)
    assert learned(Limits(), "graphql: no such field", asked, mqe=mqe) == Limits()


@in_virtual_time
async def test_parts_are_asked_two_at_a_time() -> None:
    async def a_second(read: Read) -> dict[str, Any]:
        await asyncio.sleep(1)
        return dict.fromkeys(aliases(read), 1)

    oap = Scripted(a_second)
    async with backends_of({"prod": oap}) as backends:
        found = await backends.select(None, None, "team").series(series(200), TEN_MINUTES, Deadline.after(5), mqe=True)

    assert monotonic() == 2.0
    assert oap.most_in_flight == 2
    assert len(oap.asked) == len(found.reads) == 3
    assert len(found.data) == 200


def refusing(bad: Callable[[list[str]], str | None]) -> Scripted:
    """An OAP that answers all aliases, or none with an error."""

    async def script(read: Read) -> dict[str, Any]:
        if words := bad(aliases(read)):
            raise ProviderError(Reason.QUERY_INVALID, f"graphql: {words}")
        return dict.fromkeys(aliases(read), 1)

    return Scripted(script)


@given(st.integers(2, 90), st.data())
def test_one_series_that_throws_is_found_with_few_requests_and_named(count: int, data: st.DataObject) -> None:
    culprit = data.draw(st.integers(0, count - 1))

    @in_virtual_time
    async def read() -> None:
        oap = refusing(lambda asked: "mismatched input" if f"e{culprit}" in asked else None)
        async with backends_of({"prod": oap}) as backends:
            with pytest.raises(ProviderError) as error:
                await backends.select(None, None, "team").series(
                    series(count), TEN_MINUTES, Deadline.after(5), mqe=True
                )
        assert str(error.value) == f"service_cpm of pod-{culprit}: graphql: mismatched input"
        assert len(oap.asked) <= 1 + 2 * (count - 1).bit_length()

    read()


@in_virtual_time
async def test_where_all_throw_the_first_is_enough() -> None:
    oap = refusing(lambda _: "mismatched input")
    async with backends_of({"prod": oap}) as backends:
        with pytest.raises(ProviderError, match="service_cpm of pod-0: graphql: mismatched input"):
            await backends.select(None, None, "team").series(series(64), TEN_MINUTES, Deadline.after(5), mqe=True)

    assert len(oap.asked) == 7


@in_virtual_time
async def test_one_that_throws_only_in_company_harms_nobody() -> None:
    oap = refusing(lambda asked: "too many" if len(asked) > 20 else None)
    async with backends_of({"prod": oap}) as backends:
        found = await backends.select(None, None, "team").series(series(64), TEN_MINUTES, Deadline.after(5), mqe=True)

    assert list(found.data) == [f"e{at}" for at in range(64)]
    assert [len(aliases(read)) for read in found.reads] == [16] * 4


@in_virtual_time
async def test_an_oap_that_is_away_is_not_asked_for_halves() -> None:
    async def away(_: Read) -> dict[str, Any]:
        raise BackendAway("the storage of backend prod is down")

    oap = Scripted(away)
    async with backends_of({"prod": oap}) as backends:
        with pytest.raises(BackendAway):
            await backends.select(None, None, "team").series(series(64), TEN_MINUTES, Deadline.after(5), mqe=True)

    assert len(oap.asked) == 1


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0", "10.1.0"])
async def test_the_limit_of_a_small_oap_is_learned_with_one_refused_request(version: str) -> None:
    async with MockOap(version=version, max_complexity=100) as oap:
        config = BackendConfig.model_validate({"url": oap.url, "answerTtl": "0s"})
        async with open_backends({"prod": config}, lambda: datetime.now(UTC)) as backends:
            backend = backends.select(None, None, "team")
            mqe = (await backend.dialect(Deadline.after(5))).mqe
            before = len(oap.requests)
            for _ in range(2):
                found = await backend.series(series(40), TEN_MINUTES, Deadline.after(5), mqe=mqe)
                assert len(found.data) == 40
            fit = 100 // (11 if mqe else 6)
            assert len(oap.requests) - before == 1 + 2 * -(-40 // fit)
