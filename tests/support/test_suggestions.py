"""Tests of suggestions for unknown names."""

import pytest

from skywalking_provider.support.suggestions import MAX_COMPARED_NAMES, did_you_mean
from tests.cpu_time import measure_cpu_time

MAX_CPU_SECONDS = 0.1  # one to six milliseconds; difflib took 580 ms for 5,000 names


def test_did_you_mean_typo_suggests_similar_name_alone() -> None:
    assert did_you_mean("windo", ["window", "interval", "service"], "keys") == "Did you mean window?"


def test_did_you_mean_equally_similar_names_suggests_all() -> None:
    names = ["canary|reviews", "stable|reviews", "legacy|reviews", "ratings"]

    assert did_you_mean("canarx|reviews", names) == "Did you mean canary|reviews?"
    assert did_you_mean("pod-3", ["pod-1", "pod-2", "db"]) == "Did you mean pod-2 or pod-1?"


def test_did_you_mean_nothing_similar_lists_known_names() -> None:
    assert did_you_mean("x", ["prod", "dev", "prod"], "backends") == "Known backends: dev, prod."


def test_did_you_mean_many_names_lists_them_within_character_limit() -> None:
    hint = did_you_mean("?", [f"service-{number:03}" for number in range(1000)], "services")

    assert hint.startswith("Known services: service-000, service-001, ")
    assert hint.endswith(", …")
    assert len(hint) < 230


def test_did_you_mean_without_known_names_says_so() -> None:
    assert did_you_mean("x", [], "metrics") == "No metrics are known."


def test_did_you_mean_10_000_names_suggests_the_similar_one() -> None:
    names = {f"agent::orders-{number:05}.team-red": 1 for number in range(MAX_COMPARED_NAMES - 1)} | {"web-shop": 1}

    assert did_you_mean("web-shp", names, "services") == "Did you mean web-shop?"


@pytest.mark.parametrize("typo", ["web-shp", "web-shoop", "web-shap", "web-shpo"])
def test_did_you_mean_more_names_finds_one_typo(typo: str) -> None:
    names = {f"agent::orders-{number:05}.team-red": 1 for number in range(40_000)} | {"web-shop": 1}

    assert did_you_mean(typo, names, "services") == "Did you mean web-shop?"
    assert did_you_mean("unlike", names, "services") == "Compare it with the 40001 known services."


def test_did_you_mean_large_sequence_is_not_searched_for_each_edit() -> None:
    names = [f"agent::orders-{number:05}" for number in range(40_000)]

    assert did_you_mean("agent::orders-0000", names) == "Compare it with the 40000 known names."


@pytest.mark.parametrize("count", [5_000, 10_000, 40_000, 150_000])
@pytest.mark.parametrize("length", [0, 1, 36, 128, 129, 1_000_000])
def test_did_you_mean_any_number_and_length_takes_little_cpu_time(count: int, length: int) -> None:
    names = {f"agent::checkout-service-{number:06}.team-blue": 1 for number in range(count)}
    name = ("agent::checkout-service-x.team-blues" * (length // 36 + 1))[:length]

    with measure_cpu_time() as used:
        did_you_mean(name, names, "services")

    assert used.seconds < MAX_CPU_SECONDS


def test_did_you_mean_long_names_take_little_cpu_time_and_are_cut() -> None:
    names = {"x" * 1_000_000 + str(number): 1 for number in range(20)}

    with measure_cpu_time() as used:
        hint = did_you_mean("x" * 128, names)

    assert used.seconds < MAX_CPU_SECONDS
    assert len(hint) < 250
