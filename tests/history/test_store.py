"""Store of the history: order, bounds, redaction and filters."""

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
from skywalking_provider.queries.series import named_series
from tests.history.harness import NOON, build_event, build_run

ALL = HistoryFilter()
CREDENTIAL = "hunter2"


def build_history(max_entries: int = 500, max_bytes: int = 8 * 1024 * 1024) -> History:
    return History(max_entries, ManualClock(NOON), max_bytes=max_bytes)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def test_history_full_removes_the_oldest_entry() -> None:
    history = build_history(max_entries=3)

    for at in range(5):
        history.add(build_event(NOON + minutes(at), name=f"m{at}"))

    assert [entry.metric for entry in history.find(ALL, 10)] == ["m4", "m3", "m2"]


def test_history_pending_measurement_has_one_entry() -> None:
    history = build_history()
    history.add(build_event(name="other"))

    for phase in (Phase.RUNNING, Phase.RUNNING, Phase.FAILED):
        history.add(build_event(phase=phase))

    latest, other = history.find(ALL, 10)
    assert (latest.phase, latest.attempts, other.metric) == (Phase.FAILED, 3, "other")
    assert latest.number == 2
    assert history.count(ALL) == {Phase.FAILED: 1, Phase.SUCCESSFUL: 1}


def test_history_measurements_of_one_metric_are_separate() -> None:
    history = build_history()

    history.add(build_event(NOON))
    history.add(build_event(NOON + minutes(5)))

    assert len(history) == 2


HUGE = MeasurementDetails(
    backend="prod",
    success="s" * 100_000,
    window=Window(NOON, NOON + minutes(500)),
    requests=tuple(GraphqlRequest("q" * 100_000, {"v": ["v" * 100_000]}) for _ in range(50)),
    sample=Sample(
        {},
        "t" * 100_000,
        (),
        chart_series=tuple(named_series("s" * 9999, "", (1.5, "x" * 9999) * 250) for _ in range(100)),
    ),
)


def test_entry_of_a_huge_event_is_bounded() -> None:
    history = build_history()

    history.add(build_event(message="m" * 100_000, value="v" * 100_000, details=HUGE))

    (entry,) = history.find(ALL, 1)
    assert (len(entry.series), entry.more_series) == (12, 88)
    assert (len(entry.requests), entry.more_requests) == (3, 47)
    assert entry.value.endswith("…")
    assert max(len(str(bucket)) for one in entry.series for bucket in (one.name, one.read_name, *one.buckets)) < 300
    assert entry.size < 300_000


def test_history_credentials_repeated_by_an_oap_are_redacted() -> None:
    history = History(10, ManualClock(NOON), lambda text: text.replace(CREDENTIAL, "********"))
    sample = Sample({}, f"{CREDENTIAL} 1", (), chart_series=(named_series(f"label {CREDENTIAL}", "", (1, CREDENTIAL)),))
    details = MeasurementDetails(
        "prod",
        CREDENTIAL,
        CREDENTIAL,
        None,
        (GraphqlRequest(CREDENTIAL, {"v": {"w": CREDENTIAL}}),),
        sample,
        CREDENTIAL,
    )

    history.add(build_event(name=CREDENTIAL, message=CREDENTIAL, value=CREDENTIAL, details=details))

    assert CREDENTIAL not in str(history.find(ALL, 1))
    assert CREDENTIAL not in "".join(HistoryView(["prod"], 10).render(history, ALL, NOON))


def test_history_huge_events_stay_within_the_memory_limit() -> None:
    history = build_history(max_entries=5000, max_bytes=1_000_000)

    for at in range(200):
        history.add(build_event(NOON + minutes(at), details=HUGE))

    assert sum(entry.size for entry in history.find(ALL, 5000)) <= 1_000_000
    assert history.find(ALL, 1)[0].key[3] == NOON + minutes(199)


@given(
    events=st.lists(
        st.tuples(st.integers(0, 8), st.sampled_from(Phase), st.sampled_from(["a", "b"]), st.integers(0, 3000)),
        max_size=60,
    ),
    max_entries=st.integers(1, 6),
)
def test_history_any_events_stay_within_bounds_and_keep_the_latest(
    events: list[tuple[int, Phase, str, int]], max_entries: int
) -> None:
    history = build_history(max_entries, max_bytes=20_000)

    for minute, phase, name, size in events:
        history.add(build_event(NOON + minutes(minute), phase, name=name, value="v" * size))
        found = history.find(ALL, 100)
        assert len(found) <= max_entries
        assert sum(entry.size for entry in found) == history._bytes
        assert history._bytes <= 20_000 or len(found) == 1
        assert (found[0].metric, found[0].key[3]) == (name, NOON + minutes(minute))
        assert len({entry.key for entry in found}) == len(found)


@pytest.fixture
def mixed() -> History:
    history = build_history()
    for at, (namespace, rollout, name, phase) in enumerate(
        [
            ("bookinfo", "reviews", "apdex", Phase.SUCCESSFUL),
            ("bookinfo", "ratings", "apdex", Phase.FAILED),
            ("shop", "reviews", "latency", Phase.FAILED),
            ("shop", "cart", "latency", Phase.RUNNING),
        ]
    ):
        history.add(build_event(NOON + minutes(at), phase, name=name, run=build_run(rollout, namespace=namespace)))
    return history


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
def test_filter_selects_by_namespace_name_metric_and_phase(
    mixed: History, query: dict[str, str], phases: list[str], found: int
) -> None:
    assert len(mixed.find(parse_filter(query, phases), 10)) == found


def test_count_ignores_the_phases_of_the_filter(mixed: History) -> None:
    criteria = parse_filter({"namespace": "bookinfo"}, ["Failed"])

    assert mixed.count(criteria) == {Phase.SUCCESSFUL: 1, Phase.FAILED: 1}


def test_filter_query_string_is_encoded() -> None:
    criteria = HistoryFilter(
        namespace="a&b", name="x=y", metric="<script>", phases=frozenset({Phase.FAILED, Phase.ERROR})
    )

    assert criteria.query_string() == "?namespace=a%26b&name=x%3Dy&metric=%3Cscript%3E&phase=Failed&phase=Error"
    assert criteria.query_string(all=True).endswith("&all=1")


def test_filter_by_name_finds_a_run_without_rollout() -> None:
    history = build_history()
    history.add(build_event(run=Run(namespace="shop", name="nightly-1", owner_kind="Experiment", owner_name="nightly")))

    assert len(history.find(HistoryFilter(name="nightly-1"), 1)) == 1
    assert history.find(ALL, 1)[0].rollout == ""
