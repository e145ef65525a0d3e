"""Responses that would hold the event loop or exhaust the memory: wrong types, long texts, long lists (B2-B4, W4).

Every trial makes its first request for the list that it changes: the service caches a list for 60 s.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.adversary.harness import HEALTHY_BLOCK, HostileOap, Service, Trial, phase_of, run_request, slow
from tests.security.response_memory import MEBIBYTE, measure_responses

MAX_ANSWER_MIB = 4
MAX_PEAK_MIB = 8 * MAX_ANSWER_MIB + 16
MAX_CPU_SECONDS = 10.0  # of one measurement. With the fix 1 s, without it 25 s and more

LIST = {**HEALTHY_BLOCK, "backend": "evil"}
EXPRESSION = {
    "expression": "service_cpm",
    "window": "3m",
    "service": "reviews.bookinfo",
    "backend": "evil",
    "since": "window",
}
RAW = {
    "interval": "3m",
    "query": "query { a: readMetricsValues(duration: $duration) }",
    "backend": "evil",
    "compatibility": "argo",
}

SERVICES = {"only": "listServices", "prefix": '{"data":{"services":[', "separator": ",", "suffix": "]}}"}
METRICS = {"only": "listMetrics", "prefix": '{"data":{"metrics":[', "separator": ",", "suffix": "]}}"}
VALUES = {
    "only": "execExpression",
    "prefix": '{"data":{"e0":{"type":"TIME_SERIES_VALUES","results":[{"values":[',
    "separator": ",",
    "suffix": "]}]}}}",
}
ROOT = {"prefix": '{"data":{"a":[', "separator": ",", "suffix": "]}}"}
KEYS = {"prefix": '{"data":{', "separator": ",", "suffix": "}}"}
ERRORS = {"prefix": '{"errors":[', "separator": ",", "suffix": "]}"}


def start(trial: Trial) -> tuple[HostileOap, Service]:
    mock = trial.start_mock()
    evil = trial.start_hostile_oap(mock)
    # A time limit that a busy machine keeps: the size of the work is what the trials measure.
    service = trial.start_service({"good": mock, "evil": {"url": evil.url, "timeout": "60s"}})
    measured = service.stub().Run(run_request(HEALTHY_BLOCK, success="result >= 0.5"))
    assert phase_of(measured) == "Successful", measured.message  # what a first measurement loads is loaded
    return evil, service


def measure(service: Service, block: Mapping[str, Any]) -> str:
    return str(service.stub().Run(run_request(block, success="true"), timeout=110).message)


@pytest.mark.adversary("B2")
@pytest.mark.parametrize(
    ("block", "place", "unit", "count"),
    [
        (LIST, SERVICES, "1", 600_000),
        slow(LIST, SERVICES, "1", 2_000_000),
        slow(LIST, METRICS, "1", 600_000),
        (EXPRESSION, VALUES, "1", 600_000),
        slow(LIST, SERVICES, "{}", 1_300_000),
        slow(LIST, SERVICES, '{"id":1,"name":1,"layers":1,"normal":1}', 80_000),
        slow(RAW, ERRORS, "1", 600_000),
        slow(RAW, ERRORS, '{"message":[]}', 280_000),
        slow(RAW, KEYS, '"k{n}":1', 350_000),
    ],
    ids=["services", "more services", "metrics", "values", "objects", "fields", "errors", "error objects", "keys"],
)
def test_response_of_wrong_types_takes_bounded_memory_and_cpu_time(
    trial: Trial, block: Mapping[str, Any], place: Mapping[str, Any], unit: str, count: int
) -> None:
    evil, service = start(trial)
    evil.behave("repeat", **place, unit=unit, count=count)
    service.reset_peak()
    resident, began = service.resident_mib(), service.cpu_seconds()

    message = measure(service, block)

    assert message.split()[0] in ("OAP_RESPONSE_INVALID", "QUERY_INVALID"), message
    assert service.resident_mib("VmHWM") - resident < MAX_PEAK_MIB
    assert service.cpu_seconds() - began < MAX_CPU_SECONDS


@pytest.mark.adversary("B3")
@pytest.mark.parametrize("unit", ["SQL", slow("Timeout"), slow("complexity exceeded 1")])
@pytest.mark.parametrize("size", [250_000, slow(3_900_000)])
def test_long_error_text_is_matched_in_linear_time(trial: Trial, unit: str, size: int) -> None:
    evil, service = start(trial)
    evil.behave(
        "repeat",
        prefix='{"errors":[{"message":"',
        unit=unit,
        count=size // len(unit),
        suffix='","extensions":{"classification":"DataFetchingException"}}]}',
    )
    began = service.cpu_seconds()

    message = measure(service, RAW)

    assert message.startswith(f"QUERY_INVALID graphql: {unit}")
    assert service.cpu_seconds() - began < MAX_CPU_SECONDS


@pytest.mark.adversary("B3")
@pytest.mark.slow
def test_charset_with_a_slow_decoder_is_ignored(trial: Trial) -> None:
    evil, service = start(trial)
    text = '{"data":{"a":"' + "x" * 300_000 + '-","b":"' + "y" * 300_000 + '"}}'
    evil.behave("body", text=text, headers={"Content-Type": "application/json; charset=punycode"})
    began = service.cpu_seconds()

    measured = service.stub().Run(run_request(RAW, success='result.b startsWith "y"'), timeout=110)

    assert phase_of(measured) == "Successful", measured.message
    assert service.cpu_seconds() - began < MAX_CPU_SECONDS


@pytest.mark.adversary("B4")
@pytest.mark.parametrize(
    "unit",
    ['{"id":"","name":"x","layers":["{n}"]}', slow('{"id":"{n}","name":"x","layers":["A"]}')],
    ids=["layers of one service", "services of one name"],
)
def test_repeated_service_is_listed_in_linear_time(trial: Trial, unit: str) -> None:
    evil, service = start(trial)
    evil.behave("repeat", **SERVICES, unit=unit, count=45_000)
    probe = trial.probe(service)
    began = service.cpu_seconds()

    message = measure(service, LIST)

    assert message.startswith("ENTITY_NOT_FOUND"), message
    assert service.cpu_seconds() - began < MAX_CPU_SECONDS
    assert set(probe.stop()) == {"Successful"}


@pytest.mark.adversary("B4")
@pytest.mark.slow
def test_deep_response_is_searched_in_linear_time(trial: Trial) -> None:
    evil, service = start(trial)
    depth = 100
    evil.behave(
        "repeat",
        prefix='{"data":{"a":' + '{"a":' * depth + "[",
        unit='{"isEmptyValue":true,"v":1}',
        separator=",",
        count=85_000,
        suffix="]" + "}" * depth + "}}",
    )
    service.reset_peak()
    resident, began = service.resident_mib(), service.cpu_seconds()

    message = measure(service, RAW)

    assert "limit 1,048,576" in message
    assert service.cpu_seconds() - began < MAX_CPU_SECONDS
    assert service.resident_mib("VmHWM") - resident < MAX_PEAK_MIB


@pytest.mark.adversary("B2")
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_kind_of_response_takes_bounded_memory() -> None:
    growths = measure_responses(MAX_ANSWER_MIB * MEBIBYTE)

    assert {case: mib for case, mib in growths.items() if mib > MAX_PEAK_MIB} == {}


@pytest.mark.adversary("W4")
@pytest.mark.parametrize(
    ("place", "unit", "count"),
    [
        slow(ROOT, "1", 600_000),
        slow(KEYS, '"k{n}":1', 100_000),
        (ROOT, '{"a":12}', 120_000),
        slow(ROOT, '"{n}"', 300_000),
    ],
    ids=["numbers", "keys", "objects", "texts"],
)
def test_large_response_is_processed_outside_the_event_loop(
    trial: Trial, place: Mapping[str, Any], unit: str, count: int
) -> None:
    evil, service = start(trial)
    evil.behave("repeat", **place, unit=unit, count=count)
    probe = trial.probe(service)
    loop_began, began = service.cpu_seconds(main_thread=True), service.cpu_seconds()

    for number in range(3):
        message = measure(
            service,
            {**RAW, "query": RAW["query"].replace(" }", f" b{number}: readMetricsValues(duration: $duration) }}")},
        )
        assert "limit 1,048,576" in message

    on_loop = service.cpu_seconds(main_thread=True) - loop_began
    assert on_loop < 0.5 * (service.cpu_seconds() - began)
    assert set(probe.stop()) == {"Successful"}
    assert probe.longest < 5
