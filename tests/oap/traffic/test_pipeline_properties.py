"""Promises as properties: whatever an OAP does and whoever leaves when, every read ends by its deadline, no slot is
lost, and what is given was answered to that question by that backend.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap import BackendRegistry
from skywalking_provider.oap.api.request import GraphqlRequest
from tests.oap.virtual_time import (
    ScriptedClient,
    connection_refused_error,
    deadline_after,
    in_virtual_time,
    monotonic,
    open_scripted_backends,
)

BACKENDS = ("prod", "test")
ERRORS = {
    "refused": connection_refused_error(),
    "unavailable": BackendUnavailableError("backend responded 503", kind=FailureKind.UNAVAILABLE),
    "html": BackendUnavailableError("backend: response is not GraphQL", kind=FailureKind.UNUSABLE_RESPONSE),
    "forbidden": ProviderError(Reason.OAP_REJECTED, "backend responded 403"),
    "invalid": ProviderError(Reason.QUERY_INVALID, "graphql: no such field"),
}


@dataclass(frozen=True)
class Asking:
    """Somebody who asks at an instant, for so long, and may leave before."""

    at: float
    question: int
    backend: str
    namespace: str
    patience: float
    leaves_after: float | None


seconds = st.floats(0, 20).map(lambda number: round(number, 2))
doings = st.tuples(st.sampled_from(["answer", "answer", "hang", "bug", *ERRORS]), seconds)
askers = st.builds(
    Asking,
    seconds,
    st.integers(0, 5),
    st.sampled_from(BACKENDS),
    st.sampled_from("abc"),
    seconds,
    st.none() | seconds,
)


class Weather:
    """What happens to each request in turn, and what was answered when."""

    def __init__(self, backend: str, doings: list[tuple[str, float]]) -> None:
        self.backend = backend
        self.doings = doings
        self.count = 0
        self.answered: dict[str, tuple[str, float]] = {}

    async def __call__(self, read: GraphqlRequest) -> dict[str, Any]:
        doing, takes = self.doings[self.count % len(self.doings)]
        self.count += 1
        mark = f"{self.backend} {self.count}"
        began = monotonic()
        if doing == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(takes)
        if doing in ERRORS:
            raise ERRORS[doing]
        if doing == "bug":
            raise RuntimeError("a bug")
        self.answered[mark] = (read.cache_key, began)
        return {"mark": mark}


@given(st.lists(askers, max_size=30), st.lists(doings, min_size=1, max_size=8), st.integers(1, 3))
def test_every_read_ends_by_its_deadline_with_its_own_response_and_no_slot_is_lost(
    asking: list[Asking], doings: list[tuple[str, float]], slots: int
) -> None:
    @in_virtual_time
    async def play() -> None:
        weathers = {name: Weather(name, doings) for name in BACKENDS}
        clients = {name: ScriptedClient(weather) for name, weather in weathers.items()}
        async with open_scripted_backends(clients, maxRequests=slots, circuit={"failures": 4}) as backends:
            async with asyncio.TaskGroup() as group:
                for one in asking:
                    group.create_task(ask(one, backends, weathers[one.backend]))
            await asyncio.sleep(60)  # what was on its way has ended
            for name in BACKENDS:
                connected = backends.select(name, None, "a").connection
                assert repr(connected.limiter) == f"<ConcurrencyLimiter: 0 of {slots} slots taken, 0 queued>"
                assert clients[name].in_flight == 0
                assert clients[name].max_in_flight <= slots
                assert asyncio.all_tasks() == {asyncio.current_task()}

    play()


async def ask(one: Asking, backends: BackendRegistry, weather: Weather) -> None:
    await asyncio.sleep(one.at)
    read = GraphqlRequest("{ mark }", {"n": one.question})
    task = asyncio.create_task(
        backends.select(one.backend, None, one.namespace).read(read, deadline_after(one.patience))
    )
    done, _ = await asyncio.wait({task}, timeout=one.leaves_after)
    if not done:
        task.cancel()
        await asyncio.wait({task})
        return
    assert monotonic() <= one.at + one.patience + 0.001
    if isinstance(task.exception(), BackendUnavailableError | ProviderError | RuntimeError):
        return
    question, began = weather.answered[task.result()["mark"]]
    assert question == read.cache_key
    assert monotonic() - began <= 10 + 20  # younger than responseTtl, counted from the start of the request


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 5)), min_size=1, max_size=60), st.integers(1, 4))
def test_read_waits_at_most_one_round_of_the_namespaces_per_own_request(
    asking: list[tuple[str, float]], slots: int
) -> None:
    """Each namespace's n-th read waits for n reads of each namespace at most, however many the others want."""

    @in_virtual_time
    async def play() -> None:
        async def a_second(_: GraphqlRequest) -> dict[str, Any]:
            await asyncio.sleep(1)
            return {}

        async def one(namespace: str, at: float, number: int) -> None:
            await asyncio.sleep(at)
            ahead[namespace] += 1
            own = ahead[namespace]
            await backends.select(None, None, namespace).read(
                GraphqlRequest("{ a }", {"n": number}), deadline_after(3600)
            )
            waited = monotonic() - at
            ahead[namespace] -= 1
            assert waited <= 1 + 1 + own * len({name for name, _ in asking}) / slots + 0.001

        ahead = dict.fromkeys("abcd", 0)
        async with (
            open_scripted_backends({"prod": ScriptedClient(a_second)}, maxRequests=slots) as backends,
            asyncio.TaskGroup() as group,
        ):
            for number, (namespace, at) in enumerate(asking):
                group.create_task(one(namespace, at, number))

    play()


def test_cache_keys_of_different_requests_differ() -> None:
    """A separator inside a text must not make two questions one."""
    reads = [
        GraphqlRequest(text, {"a": value})
        for text in ("{ a }", "{ a }\0", '{ a }\0{"a": 1}')
        for value in (1, "1", None)
    ]

    assert len({read.cache_key for read in reads}) == len(reads)
