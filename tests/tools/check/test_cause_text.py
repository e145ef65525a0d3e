"""Tests of a cause in text: endpoints as bars, the canary beside stable."""

import pytest
from rich.cells import cell_len

from skywalking_provider.analysis.cause_view import build_cause_view
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.causes.endpoints import Traffic, rank_endpoints
from skywalking_provider.queries.causes.target import Contribution
from skywalking_provider.tools.check.cause_text import draw_cause

CANARY = {"POST:/reviews": Traffic(330, 66), "GET:/reviews/{id}": Traffic(330, 33), "/idle": Traffic()}
STABLE = {"POST:/reviews": Traffic(660, 0), "GET:/reviews/{id}": Traffic(600, 60)}


def test_endpoints_have_the_canary_beside_stable() -> None:
    cause = rank_endpoints(Contribution.FAILURES, CANARY, Traffic(660, 99), STABLE, Traffic(1260, 60))

    assert [line.plain for line in draw_cause(build_cause_view(Cause(cause)), 100, wide=False)] == [
        "Failure rate by endpoint",
        f"POST:/reviews      canary  {'█' * 16}  66 of 330 calls failed",
        f"                   stable  {' ' * 16}  0 of 660 calls failed",
        f"GET:/reviews/{{id}}  canary  {'█' * 8}{' ' * 8}  33 of 330 calls failed",
        f"                   stable  {'█' * 8}{' ' * 8}  60 of 600 calls failed",
    ]


def test_endpoints_of_a_service_with_other_instances_are_labelled() -> None:
    cause = rank_endpoints(Contribution.TIME, {"/a": Traffic(10, 4000)}, Traffic(10, 4000), service_wide=True)

    assert [line.plain for line in draw_cause(build_cause_view(Cause(cause)), 100, wide=False)] == [
        "Average response time by endpoint  calls of all instances of the service",
        f"/a  {'█' * 16}  400 ms, 10 calls",
    ]


@pytest.mark.parametrize(("wide", "lines"), [(False, 5), (True, 11)])
def test_further_endpoints_are_shown_with_wide_only(wide: bool, lines: int) -> None:
    canary = {f"/{'测' * 60}{at}": Traffic(100, 10 + at) for at in range(10)}
    view = build_cause_view(Cause(rank_endpoints(Contribution.FAILURES, canary, Traffic(1000, 145))))
    drawn = draw_cause(view, 80, wide=wide)

    assert len(drawn) == lines
    assert all(cell_len(line.plain) <= 80 for line in drawn)
