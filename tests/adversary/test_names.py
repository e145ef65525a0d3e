"""Unknown names on an OAP with many services or metrics: the search for similar ones does not hold up others (B5)."""

import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.adversary.harness import HEALTHY_BLOCK, HostileOap, Service, Trial, phase_of, run_request, slow

# In the service's processes, for all that a trial asks of it. Comparing with difflib takes 58 s for 100 names of 5,000
# services, 330 s for 40,000 services, and 80 s for the expressions.
MAX_CPU_SECONDS = 40.0


def start(trial: Trial) -> tuple[HostileOap, Service]:
    mock = trial.start_mock()
    big = trial.start_hostile_oap(mock)
    return big, trial.start_service({"good": mock, "big": big.url})


def list_services(oap: HostileOap, count: int) -> None:
    unit = '{"id":"i{n}","name":"agent::checkout-service-{n}.team-red","layers":["GENERAL"],"normal":true}'
    oap.behave(
        "repeat",
        prefix='{"data":{"services":[',
        unit=unit,
        separator=",",
        count=count,
        suffix="]}}",
        only="listServices",
    )


def measure_together(service: Service, blocks: list[Mapping[str, Any]]) -> list[str]:
    stub = service.stub()
    with ThreadPoolExecutor(len(blocks)) as threads:
        measurements = threads.map(lambda block: stub.Run(run_request(block), timeout=100), blocks)
        return [f"{phase_of(one)} {one.message}" for one in measurements]


@pytest.mark.adversary("B5")
@pytest.mark.parametrize(
    ("count", "hint"), [(5_000, "Did you mean agent::checkout-service-"), slow(40_000, "the 40000 known services")]
)
def test_100_unknown_services_at_once_do_not_hold_up_others(trial: Trial, count: int, hint: str) -> None:
    big, service = start(trial)
    list_services(big, count)
    blocks = [
        {**HEALTHY_BLOCK, "backend": "big", "service": f"agent::checkout-service-{number}.team-blue"}
        for number in range(100)
    ]
    began = service.cpu_seconds()

    probe = trial.probe(service)
    messages = [message for _ in range(2) for message in measure_together(service, blocks)]
    outcomes = probe.stop()

    assert service.cpu_seconds() - began < MAX_CPU_SECONDS
    assert all(message.startswith("Running ENTITY_NOT_FOUND") for message in messages), Counter(messages)
    assert any(hint in message for message in messages)
    assert set(outcomes) == {"Successful"}


@pytest.mark.adversary("B5")
def test_expression_of_unknown_metrics_does_not_hold_up_others(trial: Trial) -> None:
    big, service = start(trial)
    big.behave(
        "repeat",
        prefix='{"data":{"metrics":[',
        unit='{"name":"service_cpm_{n}","catalog":"SERVICE"}',
        separator=",",
        count=10_000,
        suffix="]}}",
        only="listMetrics",
    )
    block = {key: HEALTHY_BLOCK[key] for key in ("window", "service", "since")} | {"backend": "big"}
    names = " + ".join(f"service_cp_{number:03d}" for number in range(36))  # the hints are within the message's limit
    blocks = [{**block, "expression": f"{names} + service_cq_{number}"} for number in range(10)]
    began = service.cpu_seconds()

    probe = trial.probe(service)
    messages = measure_together(service, blocks)
    outcomes = probe.stop()

    assert service.cpu_seconds() - began < 10
    assert all(message.startswith("Error QUERY_INVALID") for message in messages), messages
    assert all("34 more names are unknown" in message for message in messages), messages
    assert set(outcomes) == {"Successful"}


@pytest.mark.adversary("B5")
def test_blank_expression_in_a_query_does_not_hold_up_others(trial: Trial) -> None:
    """An expression inside a query is not checked as a block's own: 16,000 blanks took 24 s to scan for names."""
    mock = trial.start_mock()
    service = trial.start_service({"good": mock})
    read = 'a: execExpression(expression: "service_cpm{blanks}", entity: {entity}, duration: $duration)'
    query = (
        "query q($duration: Duration!) { "
        + read.replace("{blanks}", " " * 15_000).replace("{entity}", '{serviceName: "absent", normal: true}')
        + " { error results { metric { labels { key value } } values { id value } } } }"
    )
    block = {"query": query, "interval": "3m", "backend": "good"}
    began = service.cpu_seconds()

    messages = measure_together(service, [block])

    assert service.cpu_seconds() - began < 5, messages
    assert "a: OAP does not know service 'absent'" in messages[0]


@pytest.mark.adversary("B5")
@pytest.mark.slow
def test_service_that_stands_still_is_seen_in_its_metrics(trial: Trial) -> None:
    service = trial.start_service({"good": trial.start_mock()})

    os.kill(service.pid, signal.SIGSTOP)
    time.sleep(3)
    os.kill(service.pid, signal.SIGCONT)

    end = time.monotonic() + 60
    while service.metric("skywalking_analysis_event_loop_lag_seconds_sum") < 2.5:
        assert time.monotonic() < end
        time.sleep(0.1)
