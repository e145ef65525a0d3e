"""Tests of suggestions for unknown names."""

from skywalking_provider.support.suggestions import did_you_mean


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
