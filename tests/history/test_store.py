"""What the page keeps: the last measurements, each once, within bounds; and what a filter chooses of them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis.events import MeasurementDetails
from skywalking_provider.history.filter import HistoryFilter, parse_filter
from skywalking_provider.history.store import History
from skywalking_provider.history.view import HistoryView
from skywalking_provider.mock_oap import ManualClock
from skywalking_provider.model import Phase, Run, Window
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series
from tests.history.harness import NOON, build_event, build_run

ALL = HistoryFilter()
PLANTED = "hunter2"


def history(most: int = 500, max_bytes: int = 8 * 1024 * 1024) -> History:
    return History(most, ManualClock(NOON), max_bytes=max_bytes)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def test_the_latest_answer_comes_first_and_the_oldest_goes() -> None:
    kept = history(most=3)

    for at in range(5):
        kept.add(build_event(NOON + minutes(at), name=f"m{at}"))

    assert [entry.metric for entry in kept.find(ALL, 10)] == ["m4", "m3", "m2"]


def test_a_measurement_that_waits_is_there_once_as_it_stands() -> None:
    kept = history()
    kept.add(build_event(name="other"))

    for phase in (Phase.RUNNING, Phase.RUNNING, Phase.FAILED):
        kept.add(build_event(phase=phase))

    latest, other = kept.find(ALL, 10)
    assert (latest.phase, latest.attempts, other.metric) == (Phase.FAILED, 3, "other")
    assert latest.number == 2
    assert kept.count(ALL) == {Phase.FAILED: 1, Phase.SUCCESSFUL: 1}


def test_two_measurements_of_one_metric_are_two() -> None:
    kept = history()

    kept.add(build_event(NOON))
    kept.add(build_event(NOON + minutes(5)))

    assert len(kept) == 2


HUGE = MeasurementDetails(
    backend="prod",
    success="s" * 100_000,
    window=Window(NOON, NOON + minutes(500)),
    requests=tuple(GraphqlRequest("q" * 100_000, {"v": ["v" * 100_000]}) for _ in range(50)),
    sample=Sample(
        {}, "t" * 100_000, (), chart_series=tuple(Series("s" * 9999, (1.5, "x" * 9999) * 250) for _ in range(100))
    ),
)


def test_no_measurement_keeps_more_than_its_share() -> None:
    kept = history()

    kept.add(build_event(message="m" * 100_000, value="v" * 100_000, details=HUGE))

    (entry,) = kept.find(ALL, 1)
    assert (len(entry.series), entry.more_series) == (12, 88)
    assert (len(entry.requests), entry.more_requests) == (3, 47)
    assert entry.value.endswith("…")
    assert max(len(str(bucket)) for one in entry.series for bucket in (one.name, *one.buckets)) < 300
    assert entry.size < 300_000


def test_credentials_that_an_oap_repeats_are_not_kept() -> None:
    kept = History(10, ManualClock(NOON), lambda text: text.replace(PLANTED, "********"))
    sample = Sample({}, f"{PLANTED} 1", (), chart_series=(Series(f"label {PLANTED}", (1, PLANTED)),))
    trail = MeasurementDetails(
        "prod", PLANTED, PLANTED, None, (GraphqlRequest(PLANTED, {"v": {"w": PLANTED}}),), sample, PLANTED
    )

    kept.add(build_event(name=PLANTED, message=PLANTED, value=PLANTED, details=trail))

    assert PLANTED not in str(kept.find(ALL, 1))
    assert PLANTED not in "".join(HistoryView(["prod"], 10).render(kept, ALL, NOON))


def test_memory_is_bounded_however_large_measurements_are() -> None:
    kept = history(most=5000, max_bytes=1_000_000)

    for at in range(200):
        kept.add(build_event(NOON + minutes(at), details=HUGE))

    assert sum(entry.size for entry in kept.find(ALL, 5000)) <= 1_000_000
    assert kept.find(ALL, 1)[0].key[3] == NOON + minutes(199)


@given(
    answers=st.lists(
        st.tuples(st.integers(0, 8), st.sampled_from(Phase), st.sampled_from(["a", "b"]), st.integers(0, 3000)),
        max_size=60,
    ),
    most=st.integers(1, 6),
)
def test_whatever_comes_the_bounds_hold_and_the_latest_stays(
    answers: list[tuple[int, Phase, str, int]], most: int
) -> None:
    kept = history(most, max_bytes=20_000)

    for minute, phase, name, size in answers:
        kept.add(build_event(NOON + minutes(minute), phase, name=name, value="v" * size))
        found = kept.find(ALL, 100)
        assert len(found) <= most
        assert sum(entry.size for entry in found) == kept._bytes
        assert kept._bytes <= 20_000 or len(found) == 1
        assert (found[0].metric, found[0].key[3]) == (name, NOON + minutes(minute))
        assert len({entry.key for entry in found}) == len(found)


@pytest.fixture
def mixed() -> History:
    kept = history()
    for at, (namespace, rollout, name, phase) in enumerate(
        [
            ("bookinfo", "reviews", "apdex", Phase.SUCCESSFUL),
            ("bookinfo", "ratings", "apdex", Phase.FAILED),
            ("shop", "reviews", "latency", Phase.FAILED),
            ("shop", "cart", "latency", Phase.RUNNING),
        ]
    ):
        kept.add(build_event(NOON + minutes(at), phase, name=name, run=build_run(rollout, namespace=namespace)))
    return kept


@pytest.mark.parametrize(
    ("query", "phases", "found"),
    [
        ({}, [], 4),
        ({"namespace": "shop"}, [], 2),
        ({"name": "reviews"}, [], 2),
        ({"name": "cart-6c85f7bf4"}, [], 1),
        ({"metric": "apdex"}, ["Failed"], 1),
        ({"metric": "apde"}, [], 0),
        ({}, ["Failed", "Running"], 3),
        ({}, ["Nonsense"], 4),
        ({"namespace": " shop ", "name": ""}, ["Running"], 1),
    ],
)
def test_a_filter_chooses_by_namespace_name_metric_and_phase(
    mixed: History, query: dict[str, str], phases: list[str], found: int
) -> None:
    assert len(mixed.find(parse_filter(query, phases), 10)) == found


def test_counts_are_of_what_the_filter_takes_whatever_phase_is_chosen(mixed: History) -> None:
    wanted = parse_filter({"namespace": "bookinfo"}, ["Failed"])

    assert mixed.count(wanted) == {Phase.SUCCESSFUL: 1, Phase.FAILED: 1}


def test_an_address_says_its_filter_again() -> None:
    wanted = HistoryFilter(
        namespace="a&b", name="x=y", metric="<script>", phases=frozenset({Phase.FAILED, Phase.ERROR})
    )

    assert wanted.query_string() == "?namespace=a%26b&name=x%3Dy&metric=%3Cscript%3E&phase=Failed&phase=Error"
    assert wanted.query_string(all=True).endswith("&all=1")


def test_a_run_without_a_rollout_is_found_by_its_own_name() -> None:
    kept = history()
    kept.add(build_event(run=Run(namespace="shop", name="nightly-1", owner_kind="Experiment", owner_name="nightly")))

    assert len(kept.find(HistoryFilter(name="nightly-1"), 1)) == 1
    assert kept.find(ALL, 1)[0].rollout == ""
