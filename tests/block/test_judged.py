"""Judged blocks: defaults, limits and the messages for invalid ones."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.block import Bound, JudgedSpec, parse_block
from skywalking_provider.errors import ProviderError

HASHES = {"canary": {"podTemplateHash": "6c85f7bf4"}, "stable": {"podTemplateHash": "5b8c6d7f99"}}
COMPARE: dict[str, Any] = {
    "sli": "success-rate",
    "service": "reviews.bookinfo",
    "instances": HASHES["canary"],
    "compare": {"instances": HASHES["stable"]},
}
OBJECTIVE: dict[str, Any] = {"sli": "success-rate", "service": "reviews.bookinfo", "objective": 0.99}


def parsed(block: dict[str, Any]) -> JudgedSpec:
    spec = parse_block(json.dumps(block).encode())
    assert isinstance(spec, JudgedSpec)
    return spec


def compare(**keys: Any) -> dict[str, Any]:
    return COMPARE | {"compare": {"instances": HASHES["stable"]} | keys}


def margins(lowest: float, highest: float) -> st.SearchStrategy[dict[str, float]]:
    """Return a strategy of margins whose numbers are in a range, the difference in thousandths."""
    number = st.floats(lowest + 0.01, highest)
    return st.fixed_dictionaries({"ratio": number, "difference": number.map(lambda one: one / 1000)})


def error_message(block: dict[str, Any]) -> str:
    with pytest.raises(ProviderError) as caught:
        parse_block(json.dumps(block).encode())
    return str(caught.value).removeprefix("the block of the metric is invalid: ")


@pytest.mark.parametrize(
    ("sli", "tolerated", "harmful"),
    [
        ("success-rate", Bound(0.001, 1.25), Bound(0.01, 3)),
        ("apdex", Bound(0.01, 1.25), Bound(0.05, 2)),
        ("latency", Bound(10, 1.25), Bound(50, 2)),
    ],
)
def test_margins_have_defaults_by_indicator(sli: str, tolerated: Bound, harmful: Bound) -> None:
    spec = parsed(COMPARE | {"sli": sli})

    assert (spec.tolerated, spec.harmful_limit) == (tolerated, harmful)
    assert (spec.confidence.worse, spec.confidence.fine) == (0.999, 0.95)
    assert (spec.max_wait, spec.warm_up) == (timedelta(minutes=15), timedelta(0))
    assert spec.starts_at_run
    assert spec.judged


@pytest.mark.parametrize("sli", ["success-rate", "apdex", "latency"])
def test_table_of_the_documentation_has_the_default_margins(sli: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "block.md").read_text()
    spec = parsed(COMPARE | {"sli": sli})

    for key, bound in (("compare.tolerated", spec.tolerated), ("compare.harmful", spec.harmful_limit)):
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{key}` |")]
        assert bound
        assert f"`{sli}` `{{ratio: {bound.ratio:g}, difference: {bound.difference:g}}}`" in row


def test_written_part_of_a_margin_keeps_the_default_of_the_other() -> None:
    spec = parsed(compare(tolerated={"ratio": 1.5}, harmful={"difference": 0.05}))

    assert (spec.tolerated, spec.harmful_limit) == (Bound(0.001, 1.5), Bound(0.05, 3))


@pytest.mark.parametrize(
    ("keys", "harmful"),
    [
        ({"objective": 0.99}, 0.97),
        ({"objective": 0.8}, 0.5),
        ({"objective": 0.99, "harmful": 0.9}, 0.9),
        ({"sli": "latency", "objective": 300}, 600),
        ({"sli": "latency", "percentile": 99, "objective": 300, "harmful": 450}, 450),
    ],
)
def test_objective_has_a_harmful_value(keys: dict[str, Any], harmful: float) -> None:
    assert parsed(OBJECTIVE | keys).harmful_objective == pytest.approx(harmful)


def test_numbers_of_arguments_are_texts() -> None:
    spec = parsed(OBJECTIVE | {"objective": "0.995", "harmful": "0.98", "confidence": "0.9999"})

    assert (spec.objective, spec.harmful_objective, spec.confidence.worse) == (0.995, 0.98, 0.9999)


@pytest.mark.parametrize(
    ("block", "lowest", "highest"),
    [
        (compare(), {"compare.tolerated.ratio": 1, "compare.tolerated.difference": 0}, {"compare.harmful.ratio": 20}),
        (compare(), {}, {"compare.harmful.difference": 0.5}),
        (COMPARE | {"sli": "latency"}, {}, {"compare.harmful.difference": 60_000}),
        (OBJECTIVE, {"confidence": 0.95}, {"confidence": 0.999999}),
        (OBJECTIVE, {"confidence.worse": 0.95}, {"confidence.fine": 0.999}),
        (OBJECTIVE, {"objective": 0.500001}, {"objective": 0.999999}),
        (OBJECTIVE, {"harmful": 0.5}, {"harmful": 0.98}),
        (OBJECTIVE | {"sli": "latency"}, {"objective": 1}, {"objective": 60_000}),
        (OBJECTIVE | {"sli": "latency", "objective": 300}, {"harmful": 300.5}, {"harmful": 1e6}),
        (OBJECTIVE, {"warmUp": "0m"}, {"warmUp": "479m"}),
    ],
)
def test_limits_themselves_are_valid(block: dict[str, Any], lowest: dict[str, Any], highest: dict[str, Any]) -> None:
    for path, value in (*lowest.items(), *highest.items()):
        written = json.loads(json.dumps(block))
        *levels, key = path.split(".")
        inner = written
        for level in levels:
            inner = inner.setdefault(level, {})
        inner[key] = value
        assert parsed(written).judged


@pytest.mark.parametrize("block", [COMPARE, OBJECTIVE])
def test_minutes_of_an_earlier_version_can_be_excluded(block: dict[str, Any]) -> None:
    spec = parsed(block | {"earlierPods": "exclude"})

    assert spec.earlier_pods == "exclude"
    assert (spec.window_length, spec.required_calls) == (timedelta(minutes=480), 0)


@given(
    st.fixed_dictionaries(
        {"tolerated": margins(1, 3), "harmful": margins(3, 20)},
        optional={"layer": st.sampled_from(["MESH", "GENERAL"])},
    )
)
def test_numbers_as_texts_have_the_same_spec(keys: dict[str, Any]) -> None:
    texts = keys | {name: {key: str(value) for key, value in keys[name].items()} for name in ("tolerated", "harmful")}

    assert parsed(compare(**texts)) == parsed(compare(**keys))
    assert parsed(compare(**keys)).tolerated == Bound(keys["tolerated"]["difference"], keys["tolerated"]["ratio"])


def test_stable_takes_from_the_block_what_compare_leaves_out() -> None:
    stable = parsed(compare(service="stable.bookinfo") | {"layer": "MESH"}).stable

    assert stable is not None
    assert (stable.service, stable.layer, stable.endpoint) == ("stable.bookinfo", "MESH", None)
    assert stable.instances is not None
    assert stable.instances.pod_template_hash == "5b8c6d7f99"


def test_stable_does_not_take_the_instances_of_the_block() -> None:
    stable = parsed(COMPARE | {"compare": {"service": "stable.bookinfo"}}).stable

    assert stable is not None
    assert stable.instances is None


@pytest.mark.parametrize(
    ("block", "itself"),
    [
        (COMPARE, False),
        (COMPARE | {"compare": {"instances": HASHES["canary"]}}, True),
        (COMPARE | {"compare": {}}, True),
        (COMPARE | {"compare": {"endpoint": "/a"}}, True),
        (COMPARE | {"compare": {"service": "reviews-stable.bookinfo"}}, False),
        (OBJECTIVE | {"objective": None, "compare": {"instances": HASHES["stable"]}}, True),
        (OBJECTIVE | {"objective": None, "endpoint": "/a", "compare": {"instances": HASHES["stable"]}}, True),
        (OBJECTIVE | {"objective": None, "endpoint": "/a", "compare": {}}, True),
        (OBJECTIVE | {"objective": None, "endpoint": "/a", "compare": {"endpoint": "/b"}}, False),
        (OBJECTIVE | {"objective": None, "compare": {}}, True),
        (OBJECTIVE | {"objective": None, "compare": {"layer": "MESH"}}, False),
        (OBJECTIVE, False),
    ],
)
def test_block_may_compare_the_canary_with_itself(block: dict[str, Any], *, itself: bool) -> None:
    assert parsed(block).compares_itself is itself


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (COMPARE | {"objective": 0.99}, "objective: excludes compare; write one of them"),
        (COMPARE | {"sli": "throughput"}, "sli: throughput cannot be judged"),
        (COMPARE | {"percentile": 99}, "percentile: belongs to sli: latency, not to success-rate"),
        (OBJECTIVE | {"objective": None, "compare": None}, "objective: is empty, and so is compare; write one of them"),
        (COMPARE | {"harmful": {"ratio": 4}}, "harmful: is a map instead of a number. Write the map below compare"),
        (COMPARE | {"harmful": 0.9}, "harmful: belongs to an objective; write compare.harmful"),
        (COMPARE | {"window": "10m"}, "window: unknown key. Remove it: a judged block reads all minutes"),
        (COMPARE | {"interval": "10m"}, "interval: unknown key. Remove it: a judged block reads all minutes"),
        (COMPARE | {"since": "window"}, "since: does not belong to a judged block"),
        (OBJECTIVE | {"since": "run"}, "since: does not belong to a judged block"),
        (OBJECTIVE | {"since": "window", "earlierPods": "exclude"}, "since: does not belong to a judged block"),
        (COMPARE | {"minCalls": 100}, "minCalls: unknown key. Remove it: a judged block waits"),
        (
            COMPARE | {"sli": "latency", "percentile": 99, "aggregate": "highest"},
            "aggregate: unknown key. Remove it: a judged block judges the percentile of each minute",
        ),
        (COMPARE | {"compatibility": "argo"}, "compatibility: unknown key. Remove it: the built-in provider has no"),
        (COMPARE | {"warmUp": "90s"}, "warmUp: 1m30s is not in whole minutes"),
        (COMPARE | {"warmUp": "-1m"}, "warmUp: '-1m' is negative"),
        (COMPARE | {"warmUp": "8h"}, "warmUp: is 8h, must be less than 480 minutes"),
        (compare(tolerated={"ratio": 0.9}), "compare.tolerated.ratio: is 0.9, must be at least 1"),
        (compare(harmful={"ratio": 21}), "compare.harmful.ratio: is 21, must be at most 20"),
        (
            compare(tolerated={"ratio": 4}),
            "compare.tolerated.ratio: is 4, must be at most 3, as in compare.harmful",
        ),
        (
            compare(tolerated={"difference": 0.02}),
            "compare.tolerated.difference: is 0.02, must be at most 0.01, as in compare.harmful",
        ),
        (compare(tolerated={"difference": -0.1}), "compare.tolerated.difference: is -0.1, must be at least 0"),
        (compare(harmful={"difference": 5}), "compare.harmful.difference: is 5, must be at most 0.5"),
        (
            compare(tolerated={"ratio": 2, "difference": 0.02}, harmful={"ratio": 2, "difference": 0.02}),
            "compare.harmful: is the same as compare.tolerated",
        ),
        (compare(tolerated={"ratio": 1, "difference": 0}), "compare.tolerated: permits no difference"),
        (compare(tolerated=1.5), "compare.tolerated: is not a map"),
        (compare(tolerated={"ratio": True}), "compare.tolerated.ratio: is true or false, but a number is expected"),
        (compare(tolerated={"ratio": "much"}), "compare.tolerated.ratio: is 'much' instead of a number"),
        (compare(tolerated={"ratio": "nan"}), "compare.tolerated.ratio: is 'nan' instead of a number"),
        (compare(baseline="a"), "compare.baseline: unknown key"),
        (compare(endpoint="/a"), "compare: has endpoint and instances"),
        (compare(window="5m"), "compare.window: unknown key. Remove it: a judged block reads all minutes"),
        (compare(minCalls=5), "compare.minCalls: unknown key. Remove it: a judged block waits"),
        (compare(sli="apdex"), "compare.sli: unknown key. It belongs to the first level."),
        (
            compare(instances={"podTemplateHash": ""}),
            "compare.instances.podTemplateHash: is empty; set the argument in the Rollout's analysis to valueFrom:",
        ),
        (
            compare(instances={"podTemplateHash": "{{args.stable-hash}}"}),
            "compare.instances.podTemplateHash: {{args.stable-hash}} was not replaced",
        ),
        (
            OBJECTIVE | {"confidence": True},
            "confidence: is true instead of a number. Write one such as 0.999, or a map",
        ),
        (OBJECTIVE | {"confidence": None}, "confidence: is null instead of a number"),
        (OBJECTIVE | {"confidence": "high"}, "confidence.worse: is 'high' instead of a number"),
        (OBJECTIVE | {"confidence": {"level": 0.99}}, "confidence.level: unknown key. Known keys: fine, worse."),
        (OBJECTIVE | {"confidence": {"fine": True}}, "confidence.fine: is true or false, but a number is expected"),
        (COMPARE | {"confidence": 0.9}, "confidence.worse: is 0.9, must be at least 0.95"),
        (COMPARE | {"confidence": 1}, "confidence.worse: is 1, must be at most 0.999999"),
        (COMPARE | {"confidence": {"fine": 0.5}}, "confidence.fine: is 0.5, must be more than 0.5"),
        (COMPARE | {"confidence": {"fine": 0.9999}}, "confidence.fine: is 0.9999, must be at most 0.999"),
        (OBJECTIVE | {"objective": 1}, "objective: is 1, must be more than 0.5 and less than 1"),
        (OBJECTIVE | {"objective": 99}, "objective: is 99, must be more than 0.5 and less than 1; write 0.99 for 99 %"),
        (OBJECTIVE | {"objective": 0.5}, "objective: is 0.5, must be more than 0.5"),
        (OBJECTIVE | {"objective": True}, "objective: is true or false, but a number is expected"),
        (OBJECTIVE | {"objective": "inf"}, "objective: is 'inf' instead of a number"),
        (OBJECTIVE | {"objective": "99%"}, "objective: is '99%' instead of a number"),
        (OBJECTIVE | {"harmful": "nan"}, "harmful: is 'nan' instead of a number"),
        (OBJECTIVE | {"harmful": 0.99}, "harmful: is 0.99, must be at least 0.5 and less than the objective 0.99"),
        (OBJECTIVE | {"harmful": 0.4}, "harmful: is 0.4, must be at least 0.5"),
        (OBJECTIVE | {"sli": "latency", "objective": 0.3}, "objective: is 0.3, must be at least 1 millisecond"),
        (
            OBJECTIVE | {"sli": "latency", "objective": 300, "harmful": 200},
            "harmful: is 200, must be more than the objective 300",
        ),
        (
            OBJECTIVE | {"sli": "latency", "objective": 300, "harmful": 300},
            "harmful: is 300, must be more than the objective 300",
        ),
        (OBJECTIVE | {"threshold": 0.99}, "threshold: unknown key. Write objective"),
        (OBJECTIVE | {"maxwait": "3m"}, "maxwait: unknown key. Did you mean maxWait?"),
        (OBJECTIVE | {"tolerated": {"ratio": 2}}, "tolerated: unknown key. It belongs to compare."),
        (
            {"sli": "apdex", "service": "a", "window": "3m", "baseline": {}},
            "baseline: unknown key. Write compare. The block is then judged, without window and conditions.",
        ),
        (
            {"sli": "apdex", "service": "a", "window": "3m", "slo": 0.9},
            "slo: unknown key. Write objective. The block is then judged",
        ),
        (
            {"sli": "apdex", "service": "a", "window": "3m", "confidence": 0.99},
            "confidence: unknown key. It belongs to a judged block. Write compare or objective",
        ),
        (
            {"query": "{ version }", "interval": "3m", "compatibility": "argo", "compare": {}},
            "compare: unknown key. Only indicators by name can be judged. Write sli instead of query, expression or",
        ),
        (
            {"query": "{ version }", "interval": "3m", "objective": 0.9},
            "objective: unknown key. Only indicators by name",
        ),
        (
            {"expression": "avg(service_sla)", "service": "a", "window": "3m", "compare": {}},
            "compare: unknown key. Only indicators by name",
        ),
        (
            {"sli": "apdex", "service": "a", "window": "3m", "warmUp": "1m"},
            "warmUp: unknown key. It belongs to a judged block",
        ),
        (
            {"sli": "apdex", "service": "a", "window": "3m", "harmful": 0.9},
            "harmful: unknown key. It belongs to a judged block",
        ),
    ],
)
def test_invalid_block_has_a_message_with_the_next_step(block: dict[str, Any], message: str) -> None:
    assert error_message(block).startswith(message)


def test_empty_hash_of_stable_has_the_value_to_set() -> None:
    assert error_message(compare(instances={"podTemplateHash": ""})).endswith(
        "to valueFrom: {podTemplateHashValue: Latest}, or to Stable for compare"
    )


@pytest.mark.parametrize("block", [COMPARE, OBJECTIVE])
def test_standard_is_described_in_one_line(block: dict[str, Any]) -> None:
    expected = {
        "compare": (
            "stable (5b8c6d7f99), tolerated 1.25 × stable's failure rate + 0.001, harmful 3 × stable's failure rate"
            " + 0.01"
        ),
        "objective": "objective 0.99, harmful 0.97",
    }

    assert parsed(block).describe_standard() == expected["compare" if "compare" in block else "objective"]


@pytest.mark.parametrize(
    ("block", "stable"),
    [
        ({"service": "b"}, "another service"),
        ({"service": "b", "endpoint": "GET:/pay"}, "GET:/pay"),
        ({"instances": HASHES["stable"]}, "5b8c6d7f99"),
    ],
)
def test_standard_has_the_selection_of_stable(block: dict[str, Any], stable: str) -> None:
    assert parsed(COMPARE | {"compare": block}).describe_standard().startswith(f"stable ({stable}), tolerated 1.25 × ")


def test_standard_of_a_latency_has_milliseconds() -> None:
    assert parsed(COMPARE | {"sli": "latency"}).describe_standard() == (
        "stable (5b8c6d7f99), tolerated 1.25 × stable + 10 ms, harmful 2 × stable + 50 ms"
    )
    assert parsed(OBJECTIVE | {"sli": "latency", "objective": 200}).describe_standard() == (
        "objective 200 ms, harmful 400 ms"
    )
