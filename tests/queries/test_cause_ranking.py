"""Ranking of endpoints by their contribution: properties of the pure part."""

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis.cause_clause import MAX_CLAUSE, describe_cause
from skywalking_provider.oap.api.endpoint_ranking import RankedEndpoint
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.causes.endpoints import Traffic, choose_candidates, rank_endpoints
from skywalking_provider.queries.causes.target import Contribution

CONTRIBUTIONS = st.sampled_from(Contribution)
NAMES = st.text(min_size=1, max_size=200)


@st.composite
def traffics(draw: st.DrawFn) -> Traffic:
    calls = draw(st.integers(0, 10**9))
    return Traffic(calls, draw(st.integers(0, calls)))


SIDES = st.dictionaries(NAMES, traffics(), max_size=10)


@given(CONTRIBUTIONS, SIDES, traffics(), st.none() | SIDES, traffics(), st.booleans())
def test_ranking_keeps_its_bounds_and_order(
    contribution: Contribution,
    canary: dict[str, Traffic],
    total: Traffic,
    stable: dict[str, Traffic] | None,
    stable_total: Traffic,
    wide: bool,
) -> None:
    cause = rank_endpoints(contribution, canary, total, stable, stable_total if stable else None, service_wide=wide)
    assert {one.name for one in cause.endpoints} == {name for name, one in canary.items() if one.calls}
    assert sum(one.canary.amount for one in cause.endpoints) <= cause.total.amount
    added = [one.added for one in cause.endpoints]
    assert added == sorted(added, reverse=True)
    assert all(0 <= one.added <= one.canary.amount for one in cause.endpoints)
    assert all((one.stable is None) is (stable is None) for one in cause.endpoints)
    text = describe_cause(Cause(cause))
    assert len(text) <= MAX_CLAUSE
    assert text.isprintable()
    assert (text == "") is (wide or not any(added))  # what is the canary's own part is not known


@given(SIDES, traffics(), SIDES, traffics())
def test_endpoint_that_is_no_worse_than_in_stable_adds_nothing(
    canary: dict[str, Traffic], total: Traffic, stable: dict[str, Traffic], stable_total: Traffic
) -> None:
    cause = rank_endpoints(Contribution.FAILURES, canary, total, stable, stable_total)
    for one in cause.endpoints:
        if (
            one.stable
            and one.stable.calls
            and one.canary.amount * one.stable.calls <= one.stable.amount * one.canary.calls
        ):
            assert one.added <= 1e-6 * max(1.0, one.canary.amount)


@given(SIDES.filter(bool), traffics())
def test_endpoints_of_stable_alone_are_never_named(stable: dict[str, Traffic], total: Traffic) -> None:
    cause = rank_endpoints(Contribution.FAILURES, {}, Traffic(), stable, total)
    assert cause.endpoints == ()
    assert describe_cause(Cause(cause)) == ""


def test_words_claim_no_more_than_the_numbers() -> None:
    def first_words(**failures: int) -> str:
        canary = {name: Traffic(100, number) for name, number in failures.items()}
        total = Traffic(1000, max(60, sum(failures.values())))
        return describe_cause(Cause(rank_endpoints(Contribution.FAILURES, canary, total)))

    assert first_words(a=52, b=8) == "mostly a: 52 of 60 failures"
    assert first_words(a=30, b=8) == "most in a: 30 of 60 failures"
    assert first_words(a=20, b=20, c=20) == "most in a: 20 of 60 failures"
    assert first_words(a=0) == ""


def test_endpoint_that_fails_alike_in_both_is_not_the_cause() -> None:
    canary, stable = {"a": Traffic(300, 30), "b": Traffic(100, 25)}, {"a": Traffic(300, 30), "b": Traffic(100, 0)}
    cause = rank_endpoints(Contribution.FAILURES, canary, Traffic(400, 55), stable, Traffic(400, 30))
    assert describe_cause(Cause(cause)) == "more in b: 25 of 55 failures, stable 0 of 100 calls"


@given(
    CONTRIBUTIONS,
    st.dictionaries(NAMES, st.tuples(st.integers(0, 10_000), st.integers(1, 10_000)), max_size=40),
    st.integers(0, 10),
)
def test_candidates_are_those_that_may_contribute_most(
    contribution: Contribution, endpoints: dict[str, tuple[int, int]], count: int
) -> None:
    failures = contribution is Contribution.FAILURES
    worst = sorted(endpoints, key=lambda name: endpoints[name][0], reverse=not failures)[:10]
    busiest = sorted(endpoints, key=lambda name: endpoints[name][1], reverse=True)[:10]
    chosen = choose_candidates(
        contribution,
        [RankedEndpoint(name, endpoints[name][0]) for name in worst],
        [RankedEndpoint(name, endpoints[name][1]) for name in busiest],
        count,
    )
    assert len(chosen) == min(count, len({*worst, *busiest}))
    assert {*chosen} <= {*worst, *busiest}

    def contributed(name: str) -> float:
        average, calls = endpoints[name]
        return ((10_000 - average) if failures else average) / 10_000 * calls

    if len(endpoints) <= 10 and chosen:  # both rankings are complete
        others = [contributed(name) for name in {*worst} - {*chosen}]
        assert min(map(contributed, chosen)) >= max(others, default=0) - 1e-6


def test_candidates_without_rankings_are_none() -> None:
    assert choose_candidates(Contribution.FAILURES, (), (), 10) == ()
    assert choose_candidates(Contribution.TIME, [RankedEndpoint("x" * 513, 5.0)], (), 10) == ()
