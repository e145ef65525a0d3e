"""Properties of the request pipeline, for any behaviour of the OAP and of the callers.

Every read ends by its deadline, no slot is lost, and a response belongs to its request and its backend.
"""

import asyncio
from dataclasses import dataclass, replace
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
class Read:
    """A read that starts at an instant, has a deadline and may be cancelled."""

    at: float
    number: int
    backend: str
    namespace: str
    seconds: float
    cancelled_after: float | None


seconds = st.floats(0, 20).map(lambda number: round(number, 2))
actions = st.tuples(st.sampled_from(["respond", "respond", "hang", "bug", *ERRORS]), seconds)
reads_of_callers = st.builds(
    Read,
    seconds,
    st.integers(0, 5),
    st.sampled_from(BACKENDS),
    st.sampled_from("abc"),
    seconds,
    st.none() | seconds,
)


class Behaviour:
    """Script of a backend: the behaviour of each request in order, and the responses with their start."""

    def __init__(self, backend: str, actions: list[tuple[str, float]]) -> None:
        self.backend = backend
        self.actions = actions
        self.count = 0
        self.responses: dict[str, tuple[str, float]] = {}

    async def __call__(self, read: GraphqlRequest) -> dict[str, Any]:
        action, seconds = self.actions[self.count % len(self.actions)]
        self.count += 1
        mark = f"{self.backend} {self.count}"
        began = monotonic()
        if action == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(seconds)
        if action in ERRORS:
            raise ERRORS[action]
        if action == "bug":
            raise RuntimeError("a bug")
        self.responses[mark] = (read.cache_key, began)
        return {"mark": mark}


@given(st.lists(reads_of_callers, max_size=30), st.lists(actions, min_size=1, max_size=8), st.integers(1, 3))
def test_every_read_ends_by_its_deadline_with_its_own_response_and_no_slot_is_lost(
    readers: list[Read], actions: list[tuple[str, float]], slots: int
) -> None:
    @in_virtual_time
    async def run_readers() -> None:
        behaviours = {name: Behaviour(name, actions) for name in BACKENDS}
        clients = {name: ScriptedClient(behaviour) for name, behaviour in behaviours.items()}
        async with open_scripted_backends(clients, maxRequests=slots, circuit={"failures": 4}) as backends:
            async with asyncio.TaskGroup() as group:
                for one in readers:
                    group.create_task(read_one(one, backends, behaviours[one.backend]))
            await asyncio.sleep(60)  # the requests in flight have ended
            for name in BACKENDS:
                connected = backends.select(name, None, "a").connection
                assert repr(connected.limiter) == f"<ConcurrencyLimiter: 0 of {slots} slots taken, 0 queued>"
                assert clients[name].in_flight == 0
                assert clients[name].max_in_flight <= slots + 1  # a health check needs no slot
                assert asyncio.all_tasks() == {asyncio.current_task()}

    run_readers()


async def read_one(one: Read, backends: BackendRegistry, behaviour: Behaviour) -> None:
    await asyncio.sleep(one.at)
    read = GraphqlRequest("{ mark }", {"n": one.number})
    task = asyncio.create_task(
        backends.select(one.backend, None, one.namespace).read(read, deadline_after(one.seconds))
    )
    done, _ = await asyncio.wait({task}, timeout=one.cancelled_after)
    if not done:
        task.cancel()
        await asyncio.wait({task})
        return
    assert monotonic() <= one.at + one.seconds + 0.001
    if isinstance(task.exception(), BackendUnavailableError | ProviderError | RuntimeError):
        return
    number, began = behaviour.responses[task.result()["mark"]]
    assert number == read.cache_key
    assert monotonic() - began <= 10 + 20  # younger than responseTtl, counted from the start of the request


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 5)), min_size=1, max_size=60), st.integers(1, 4))
def test_read_waits_at_most_one_round_of_the_namespaces_per_own_request(
    readers: list[tuple[str, float]], slots: int
) -> None:
    """The n-th read of a namespace waits for n reads of each namespace at most."""

    @in_virtual_time
    async def run_readers() -> None:
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
            assert waited <= 1 + 1 + own * len({name for name, _ in readers}) / slots + 0.001

        ahead = dict.fromkeys("abcd", 0)
        async with (
            open_scripted_backends({"prod": ScriptedClient(a_second)}, maxRequests=slots) as backends,
            asyncio.TaskGroup() as group,
        ):
            for number, (namespace, at) in enumerate(readers):
                group.create_task(one(namespace, at, number))

    run_readers()


def test_cache_keys_of_different_requests_differ() -> None:
    """A separator inside a text must not give two requests the same key."""
    reads = [
        GraphqlRequest(text, {"a": value})
        for text in ("{ a }", "{ a }\0", '{ a }\0{"a": 1}')
        for value in (1, "1", None)
    ]
    reads += [replace(read, optional=True) for read in reads]

    assert len({read.cache_key for read in reads}) == len(reads)
