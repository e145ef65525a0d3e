"""One namespace against another: slow queries, floods of calls, and large requests."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.adversary.harness import Service, Trial, outcome, run_request

SLOW_MARK = "31337"
EXPRESSION = {"window": "3m", "service": "reviews.bookinfo", "backend": "shared", "since": "window"}


def measure_slow_queries(service: Service, callers: int, seconds: float) -> None:
    """Measure from a number of callers of team-a until a time has passed; each query is a new one."""
    numbers, end = itertools.count(), time.monotonic() + seconds

    def call(_: int) -> None:
        stub = service.stub()
        while time.monotonic() < end:
            block = EXPRESSION | {"expression": f"avg(service_sla) + {next(numbers)} + {SLOW_MARK}"}
            outcome(stub, run_request(block, namespace="team-a"), 14.5)

    with ThreadPoolExecutor(callers) as callers_of_team_a:
        list(callers_of_team_a.map(call, range(callers)))


@pytest.mark.slow
@pytest.mark.adversary("B6")
@pytest.mark.parametrize(("callers", "interval"), [(6, 0.5), (40, 0.5), (6, 4.0)])
def test_slow_queries_of_one_namespace_do_not_stop_another(trial: Trial, callers: int, interval: float) -> None:
    oap = trial.start_hostile_oap(trial.start_mock())
    service = trial.start_service({"shared": oap.url})
    oap.behave("sleep", contains=SLOW_MARK, seconds=30)
    probe = trial.probe(
        service,
        block=EXPRESSION,
        condition="",
        interval=interval,
        vary=lambda block, number: {**block, "expression": f"avg(service_cpm) + {number}"},
    )

    measure_slow_queries(service, callers, 16)

    assert set(probe.stop()) == {"Successful"}
    assert "circuit breaker opened" not in service.log.read_text()
    assert probe.longest < 4  # with all slots taken it was the rest of a timeout of 5 s
