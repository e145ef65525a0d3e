"""Tests of the pods of an earlier version: which minutes, names and pods count."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from skywalking_provider.model import Deadline, Entity, Run, Window
from skywalking_provider.oap.api.inventory import InventoryInstance, InventoryService, ServiceInventory
from skywalking_provider.oap.api.metric_values import Role, SeriesRequest
from skywalking_provider.queries.earlier_pods import (
    EarlierCalls,
    PodCalls,
    count_affected_buckets,
    end_of_earlier_calls,
    find_earlier_pods,
    has_canary_name,
    summarize_calls,
)
from skywalking_provider.queries.graphql.services import services_read_by_name
from skywalking_provider.queries.unknown_service import format_unknown_calls

START = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
RUN = Run(namespace="bookinfo", owner_name="reviews", labels={"rollouts-pod-template-hash": "6c85f7bf4"})

DEADLINE = Deadline.after(10)


def window(first: int, buckets: int) -> Window:
    start = START.replace(second=0) + timedelta(minutes=first)
    return Window(start, start + timedelta(minutes=buckets))


@pytest.mark.parametrize(
    ("first", "buckets", "suspect"), [(1, 3, 3), (1, 10, 5), (5, 3, 1), (6, 3, 0), (60, 3, 0), (1, 0, 0)]
)
def test_minutes_that_begin_within_five_minutes_of_the_run_are_suspect(first: int, buckets: int, suspect: int) -> None:
    assert count_affected_buckets(window(first, buckets), START) == suspect


def test_minute_that_begins_exactly_five_minutes_after_the_run_is_not_suspect() -> None:
    assert count_affected_buckets(window(0, 10), START.replace(second=0)) == 5


def test_minutes_are_counted_across_a_clock_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 25, 0, 58, tzinfo=UTC)
    across = Window(start.astimezone(berlin), (start + timedelta(minutes=6)).astimezone(berlin))
    earlier = summarize_calls([PodCalls("a", (1, 1, 1, 1, None, 0))], across, 6)

    assert count_affected_buckets(across, start.astimezone(berlin)) == 5
    assert earlier is not None
    assert earlier.end.astimezone(UTC) == start + timedelta(minutes=4)
    assert earlier.end.tzinfo is berlin


@pytest.mark.parametrize(
    ("service", "canary"),
    [
        ("canary|reviews|bookinfo|cluster-1|-", True),
        ("Canary|reviews", True),
        ("reviews-preview.bookinfo", True),
        ("reviews_canary", True),
        ("canary", True),
        ("stable|reviews|bookinfo|cluster-1|-", False),
        ("canaryish.bookinfo", False),
        ("reviews.bookinfo", False),
        ("", False),
    ],
)
def test_name_with_a_part_of_the_canary_is_by_label(service: str, *, canary: bool) -> None:
    assert has_canary_name(service, RUN) is canary


@pytest.mark.parametrize(
    ("owner", "namespace", "service", "canary"),
    [
        ("reviews-canary", "bookinfo", "reviews-canary.bookinfo", False),
        ("reviews-canary", "bookinfo", "canary|reviews-canary|bookinfo", True),
        ("reviews", "canary", "reviews.canary", False),
        ("c", "bookinfo", "canary|c|bookinfo", True),
        ("a.b", "", "canary|axb", True),
    ],
)
def test_names_of_rollout_and_namespace_are_not_by_label(
    owner: str, namespace: str, service: str, *, canary: bool
) -> None:
    assert has_canary_name(service, Run(namespace=namespace, owner_name=owner)) is canary


@pytest.mark.parametrize(
    ("name", "attributes", "earlier"),
    [
        ("reviews-6b5d9c7f8-h6pnw.bookinfo", {}, True),
        ("reviews-6b5d9c7f8-h6pnw", {}, True),
        ("7f1c@10.0.0.1", {"hostname": "reviews-6b5d9c7f8-h6pnw"}, True),
        ("reviews-custom", {"rollouts-pod-template-hash": "6b5d9c7f8"}, True),
        ("reviews-6c85f7bf4-9zr8t.bookinfo", {}, False),
        ("reviews-custom", {"rollouts-pod-template-hash": "6c85f7bf4"}, False),
        ("reviews-6c85f7bf4-7-1-baseline-h6pnw", {}, False),
        ("reviews-v2-6b5d9c7f8-h6pnw.bookinfo", {}, False),
        ("ratings-6b5d9c7f8-h6pnw.bookinfo", {}, False),
        ("ratings-x", {"rollouts-pod-template-hash": "6b5d9c7f8"}, False),
        ("UNKNOWN", {}, False),
        ("7f1c@10.0.0.1", {}, False),
        ("reviews-0", {}, False),
    ],
)
def test_pod_of_the_rollout_with_another_hash_is_earlier(
    name: str, attributes: dict[str, str], *, earlier: bool
) -> None:
    assert find_earlier_pods([InventoryInstance(name, attributes)], RUN) == [name] * earlier


def test_summary_has_the_last_minute_of_all_pods_with_calls() -> None:
    calls = [PodCalls("b", (5, 5, None)), PodCalls("a", (5, None, None)), PodCalls("c", (0, None, None, 9))]

    summary = summarize_calls(calls, window(1, 4), 3)

    assert summary is not None
    assert (summary.pods, summary.end) == (("a", "b"), window(3, 1).start)


@pytest.mark.parametrize(
    "calls", [[], [PodCalls("a", ())], [PodCalls("a", (None, 0, 0))], [PodCalls("a", (0, 0, 0, 7))]]
)
def test_pods_without_calls_in_the_suspect_minutes_are_ignored(calls: list[PodCalls]) -> None:
    assert summarize_calls(calls, window(1, 4), 3) is None


@pytest.mark.parametrize(
    ("read", "names"),
    [
        (
            'readMetricsValues(condition: {name: "x", entity: {serviceName: "a", normal: true}}, duration: $duration)',
            ("a",),
        ),
        ('execExpression(expression: "x", entity: {serviceName: "a", normal: true}, duration: $duration)', ("a",)),
        ('readMetricsValues(condition: {name: "x", entity: {serviceName: "a", endpointName: "/e"}})', ("a",)),
        ('readMetricsValues(condition: {name: "x", entity: {serviceName: "a", serviceInstanceName: "p"}})', ()),
        ('readMetricsValues(condition: {name: "x", entity: {scope: All}})', ()),
        ("readMetricsValues(condition: $c)", ()),
        ("version", ()),
    ],
)
def test_services_of_a_query_are_those_without_instance(read: str, names: tuple[str, ...]) -> None:
    assert services_read_by_name(f"query q($duration: Duration!) {{ a: {read} b: {read} }}") == names


@pytest.mark.parametrize(("calls", "text"), [(0, ""), (1, "UNKNOWN has 1 call in"), (60, "UNKNOWN has 60 calls in")])
def test_calls_of_unknown_are_described(calls: int, text: str) -> None:
    assert format_unknown_calls(calls).startswith(text)
    assert bool(format_unknown_calls(calls)) is bool(calls)


class RecordingBackend:
    """Backend of two services with one earlier pod each, whose calls differ. It records what is read."""

    def __init__(self) -> None:
        self.connection = self
        self.reads: list[tuple[list[SeriesRequest], bool]] = []
        self.deadlines: list[Deadline] = []

    async def services(self, deadline: Deadline) -> ServiceInventory:
        self.deadlines.append(deadline)
        return ServiceInventory.build(
            [InventoryService("1", "canary|a", ("MESH",), True), InventoryService("2", "canary|b", ("GENERAL",), True)]
        )

    async def features(self, deadline: Deadline) -> Any:
        self.deadlines.append(deadline)
        return SimpleNamespace(supports_mqe=True)

    async def instances(self, service: InventoryService, _: Window, deadline: Deadline) -> list[InventoryInstance]:
        self.deadlines.append(deadline)
        return [InventoryInstance(f"reviews-6b5d9c7f8-{service.name[-1] * 5}", {})]

    async def series(self, requests: list[SeriesRequest], _: Window, deadline: Deadline, *, mqe: bool) -> Any:
        self.deadlines.append(deadline)
        self.reads.append((requests, mqe))
        return SimpleNamespace(size=1, data=None)

    async def process(self, _size: int, _decode: object, requests: list[SeriesRequest], *_: object, mqe: bool) -> Any:
        assert mqe
        return [PodCalls(one.entity.instance or "", (5, None, None)) for one in requests]


async def find_calls(backend: Any, *, any_name: bool = False, run: Run = RUN, affected: int = 3) -> EarlierCalls | None:
    return await end_of_earlier_calls(
        ["canary|a", "canary|b", "stable|c"],
        any_name=any_name,
        run=run,
        backend=backend,
        window=window(1, 3),
        affected_buckets=affected,
        deadline=DEADLINE,
    )


async def test_calls_of_all_services_are_read_with_the_key_and_of_the_mesh_without() -> None:
    backend = RecordingBackend()

    without = await find_calls(backend)
    excluded = await find_calls(backend, any_name=True)

    assert without is not None
    assert excluded is not None
    assert without.pods == ("reviews-6b5d9c7f8-aaaaa",)
    assert excluded.pods == ("reviews-6b5d9c7f8-aaaaa", "reviews-6b5d9c7f8-bbbbb")
    assert backend.reads[0] == (
        [
            SeriesRequest(
                "i0",
                "service_instance_cpm",
                Entity("canary|a", instance="reviews-6b5d9c7f8-aaaaa"),
                role=Role.CALLS,
            )
        ],
        True,
    )
    assert set(backend.deadlines) == {DEADLINE}


@pytest.mark.parametrize(
    ("run", "affected"), [(replace(RUN, labels={}), 3), (replace(RUN, owner_name=""), 3), (RUN, 0)]
)
async def test_nothing_is_requested_without_a_version_or_an_affected_minute(run: Run, affected: int) -> None:
    assert await find_calls(None, any_name=True, run=run, affected=affected) is None


async def test_nothing_is_requested_for_names_without_a_part_of_the_canary() -> None:
    assert await find_calls(None, run=replace(RUN, owner_name="canary")) is None
