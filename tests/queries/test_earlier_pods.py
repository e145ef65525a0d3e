"""Tests of the pods of an earlier version: which minutes, names and pods count."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from skywalking_provider.model import Run, Window
from skywalking_provider.oap.api.inventory import InventoryInstance
from skywalking_provider.queries.earlier_pods import (
    PodCalls,
    count_affected_buckets,
    find_earlier_pods,
    has_canary_name,
    summarize_calls,
)
from skywalking_provider.queries.graphql.services import services_read_by_name
from skywalking_provider.queries.unknown_service import format_unknown_calls

START = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
RUN = Run(namespace="bookinfo", owner_name="reviews", labels={"rollouts-pod-template-hash": "6c85f7bf4"})


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
