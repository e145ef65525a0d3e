"""Minutes of SkyWalking's instances, merged by version."""

from typing import Any

from bench.talk.minutes import Instance, Minute, merge_minutes


def series(*values: tuple[list[int], list[int], list[int]]) -> dict[str, Any]:
    return {
        f"{metric}{index}": {"values": {"values": [{"value": one} for one in column]}}
        for index, columns in enumerate(values)
        for metric, column in zip(("cpm", "sla", "resp_time"), columns, strict=True)
    }


def test_minutes_of_a_version_are_weighted_by_the_calls_of_its_pods() -> None:
    instances = [Instance("reviews.bookinfo", f"pod-{number}", "abc") for number in (1, 2)]
    data = series(([100, 0], [10000, 0], [20, 0]), ([300, 60], [8000, 10000], [40, 30]))

    assert merge_minutes([60.0, 120.0], instances, data, {"abc": "v2"}) == [
        Minute(60.0, "v2 (reviews.bookinfo)", 400, 0.85, 35.0),
        Minute(120.0, "v2 (reviews.bookinfo)", 60, 1.0, 30.0),
    ]


def test_instance_without_a_known_hash_has_the_name_of_its_service() -> None:
    data = series(([5], [10000], [1]))

    [minute] = merge_minutes([0.0], [Instance("UNKNOWN", "UNKNOWN", "")], data, {"abc": "v2"})

    assert minute.subject == "UNKNOWN"
