"""JSON lines: the golden looks, their keys and their errors."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from skywalking_provider.cli import app
from skywalking_provider.tools.judge.json_lines import parse_case_line
from tests.judgement.golden import LOOKS

Judge = Callable[..., Result]
OBJECTIVE = {"kind": "objective", "minutes": [[120, 0, 0]], "tolerated": "0.01", "harmful": "0.03"}
COMPARE = {"kind": "compare", "minutes": [[120, 1, 1, 1080, 11, 11]], "tolerance": [0.001, 1.25], "harm": [0.01, 3]}
LATENCY = {"kind": "latency", "minutes": [[120, 104, 1080, 100]], "tolerance": [10, 1.25], "harm": [50, 2]}
LATENCY_OBJECTIVE = {"kind": "latency objective", "minutes": [[200, 520]], "wanted": 300, "harmful": 600}
ALL = (OBJECTIVE, COMPARE, LATENCY, LATENCY_OBJECTIVE)


def lines_of(*cases: Any) -> str:
    return "".join((case if isinstance(case, str) else json.dumps(case)) + "\n" for case in cases)


def judge_one(judge: Judge, case: dict[str, Any]) -> dict[str, Any]:
    result = judge("-o", "json", text=lines_of(case))
    assert result.exit_code == 0, result.stderr
    (line,) = result.stdout.splitlines()
    outcome: dict[str, Any] = json.loads(line)
    return outcome


def test_golden_looks_have_their_evidence_and_verdict_in_order(
    judge_process: Callable[..., subprocess.CompletedProcess[bytes]],
) -> None:
    done = judge_process("-o", "json", stdin=lines_of(*LOOKS).encode())

    assert done.returncode == 0
    assert not done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(outcomes) == len(LOOKS)
    for outcome, look in zip(outcomes, LOOKS, strict=True):
        assert list(outcome) == ["worse", "fine", "verdict"]
        assert outcome["worse"] == pytest.approx(look["worse"], rel=1e-9, abs=0)
        assert outcome["fine"] == pytest.approx(look["fine"], rel=1e-9, abs=0)
        assert outcome["verdict"] == look["verdict"]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case["kind"])
def test_missing_alpha_beta_and_variance_have_their_defaults(judge: Judge, case: dict[str, Any]) -> None:
    written = case | {"alpha": "0.001", "beta": 0.05} | ({"variance": "4"} if "latency" in case["kind"] else {})

    assert judge_one(judge, case) == judge_one(judge, written)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case["kind"])
def test_numbers_as_text_are_numbers(judge: Judge, case: dict[str, Any]) -> None:
    texts = json.loads(json.dumps(case), parse_int=str, parse_float=str)

    assert judge_one(judge, texts) == judge_one(judge, case)


def test_expectations_do_not_influence_the_outcome(judge: Judge) -> None:
    expected = OBJECTIVE | {"name": "any", "worse": 1, "fine": None, "verdict": "worse"}

    assert judge_one(judge, expected) == judge_one(judge, OBJECTIVE)


@pytest.mark.parametrize(
    ("case", "minute"),
    [
        (OBJECTIVE, [0, 0, 0]),
        (COMPARE, [0, 0, 0, 1080, 11, 11]),
        (COMPARE, [120, 120, 120, 0, 0, 0]),
        (LATENCY, [120, 104, 0, 0]),
        (LATENCY, [0, 0, 1080, 100]),
        (LATENCY_OBJECTIVE, [0, 520]),
    ],
)
@pytest.mark.parametrize("at", [0, 1])
def test_minute_without_calls_of_a_side_adds_nothing(
    judge: Judge, case: dict[str, Any], minute: list[int], at: int
) -> None:
    minutes = [*case["minutes"]]
    minutes.insert(at, minute)

    assert judge_one(judge, case | {"minutes": minutes}) == judge_one(judge, case)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case["kind"])
def test_case_without_minutes_is_open(judge: Judge, case: dict[str, Any]) -> None:
    assert judge_one(judge, case | {"minutes": []}) == {"worse": 1.0, "fine": 1.0, "verdict": "open"}


def test_incident_of_stable_in_the_last_minute_prevents_fine(judge: Judge) -> None:
    healthy, incident = [120, 0, 0, 1080, 5, 5], [120, 20, 20, 1080, 300, 300]

    assert judge_one(judge, COMPARE | {"minutes": [healthy] * 4})["verdict"] == "fine"
    during = judge_one(judge, COMPARE | {"minutes": [*[healthy] * 4, incident]})
    after = judge_one(judge, COMPARE | {"minutes": [*[healthy] * 4, incident, healthy]})

    assert during["fine"] >= 20
    assert during["verdict"] == "open"
    assert after["verdict"] == "fine"


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("[]", "is a list. Write an object"),
        ("{", "is not JSON"),
        ('{"kind": "objective", "minutes": [[NaN, 0, 0]]}', "has NaN"),
        ('{"kind": "objective", "minutes": [[1e400, 0, 0]], "tolerated": 0.1, "harmful": 0.2}', "not a finite number"),
        ('{"kind": "objective", "kind": "compare"}', "has the key kind more than once"),
        ({"minutes": []}, "kind: is required"),
        (OBJECTIVE | {"kind": "rate"}, "kind: is 'rate'. Write one of"),
        (OBJECTIVE | {"kind": ["objective"]}, "kind: is a list"),
        (OBJECTIVE | {"tolerate": 1}, "tolerate: unknown key. Did you mean tolerated?"),
        (OBJECTIVE | {"tolerance": [0, 1]}, 'tolerance: unknown key. It belongs to kind "compare" or "latency".'),
        (OBJECTIVE | {"variance": 4}, 'variance: unknown key. It belongs to kind "latency" or "latency objective".'),
        ({"kind": "objective", "minutes": [], "tolerated": 0.01}, "harmful: is required"),
        (OBJECTIVE | {"minutes": [[120, 0]]}, "minute 1 is a list of 2. Write [calls, failures, failures_high]"),
        (OBJECTIVE | {"minutes": COMPARE["minutes"]}, "minute 1 is a list of 6"),
        (OBJECTIVE | {"minutes": None}, "minutes: is null. Write a list"),
        (OBJECTIVE | {"minutes": [[120, 0, 0], [120, -1, 0]]}, "minute 2: failures is -1, must be at least 0"),
        (OBJECTIVE | {"minutes": [[-5, 0, 0]]}, "calls is -5"),
        (OBJECTIVE | {"minutes": [[5.5, 0, 0]]}, "calls is 5.5. Write a whole number"),
        (OBJECTIVE | {"minutes": [[120, 3, 2]]}, "failures is 3, more than failures_high, which is 2"),
        (OBJECTIVE | {"minutes": [[5, 6, 6]]}, "failures is 6 of 5 calls"),
        (OBJECTIVE | {"minutes": [[5, 0, 6]]}, "failures_high is 6 of 5 calls"),
        (OBJECTIVE | {"minutes": [[0, 0, 1]]}, "failures_high is 1 of 0 calls"),
        (OBJECTIVE | {"minutes": [[5, "NaN", 5]]}, "failures is 'NaN'"),
        (OBJECTIVE | {"minutes": [[5, "Infinity", 5]]}, "failures is 'Infinity'"),
        (OBJECTIVE | {"minutes": [[5, True, 5]]}, "failures is true"),
        (OBJECTIVE | {"minutes": [[5, None, 5]]}, "failures is null"),
        (OBJECTIVE | {"minutes": [["1_0", 0, 0]]}, "calls is '1_0'"),
        (COMPARE | {"minutes": [[5, 0, 0, 5, 6, 6]]}, "stable_failures is 6 of 5 calls"),
        (LATENCY | {"minutes": [[5, -1, 5, 6]]}, "ms is -1"),
        (LATENCY | {"minutes": [[5, 1, 5, "nan"]]}, "stable_ms is 'nan'"),
        (OBJECTIVE | {"tolerated": 0.03}, "harmful is 0.03, must be more than tolerated"),
        (OBJECTIVE | {"tolerated": 0}, "tolerated: is 0, must be more than 0"),
        (OBJECTIVE | {"harmful": 1}, "harmful: is 1, must be more than 0 and less than 1"),
        (OBJECTIVE | {"alpha": 0}, "alpha: is 0, must be"),
        (OBJECTIVE | {"beta": 1}, "beta: is 1, must be"),
        (COMPARE | {"tolerance": 0.1}, "tolerance: is 0.1. Write [difference, ratio]"),
        (COMPARE | {"tolerance": [1.25, 0.001]}, "tolerance: difference is 1.25, must be at most 0.5"),
        (COMPARE | {"tolerance": [0.02, 1.25]}, "harm has the difference 0.01, must be at least that of tolerance"),
        (COMPARE | {"harm": [0.001, 1.2]}, "harm has the ratio 1.2, must be at least that of tolerance"),
        (COMPARE | {"harm": [0.01, 21]}, "harm: has the ratio 21, must be from 1 to 20"),
        (LATENCY | {"variance": 0}, "variance: is 0, must be more than 0"),
        (LATENCY_OBJECTIVE | {"wanted": 700}, "harmful is 600, must be more than wanted"),
    ],
)
def test_error_has_its_line_and_other_lines_are_judged(judge: Judge, case: Any, message: str) -> None:
    result = judge("-o", "json", text=lines_of(OBJECTIVE, case, COMPARE))

    assert result.exit_code == 2
    (error,) = result.stderr.splitlines()
    assert error.startswith("skywalking-provider: line 2: ")
    assert message in error
    assert len(result.stdout.splitlines()) == 2


def test_invalid_bytes_are_an_error_of_their_line(judge: Judge) -> None:
    text = lines_of(OBJECTIVE).encode() + b'{"kind": "\xff"}\n\n' + lines_of(OBJECTIVE).encode()

    result = judge("-o", "json", text=text)

    assert result.exit_code == 2
    assert result.stderr.startswith("skywalking-provider: line 2: is not UTF-8")
    assert len(result.stdout.splitlines()) == 2


def test_csv_line_among_json_lines_is_an_error_of_its_line(judge: Judge) -> None:
    result = judge("-o", "json", text="minute,calls,failures\n" + lines_of(OBJECTIVE))

    assert result.exit_code == 2
    assert "line 1: is not JSON" in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_limits_of_csv_with_json_lines_are_wrong_usage(judge: Judge) -> None:
    result = judge("--objective", "0.99", text=lines_of(OBJECTIVE))

    assert result.exit_code == 2
    assert "--objective: belongs to CSV" in result.stderr


def test_table_has_name_minutes_and_verdict_of_each_case(judge: Judge) -> None:
    result = judge(text=lines_of(*LOOKS))

    assert result.exit_code == 0
    assert result.stdout.count("objective") >= 8
    row = next(line for line in result.stdout.splitlines() if "5 % and 1 %" in line)
    assert row.split()[-5:] == ["of", "5", "9,690", "0.00421", "worse"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["compare", "NaN"]),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=12,
)
numbers = st.integers(-1, 10**13) | st.floats() | st.sampled_from(["1", "0.5", "1e308", "-0", "x"])
mutations = st.dictionaries(
    st.sampled_from([*OBJECTIVE, *COMPARE, "alpha", "beta", "variance", "wanted", "other"]),
    json_values | numbers | st.lists(numbers, max_size=2) | st.lists(st.lists(numbers, max_size=6), max_size=4),
    max_size=3,
)


@given(case=st.sampled_from(ALL), changes=mutations)
def test_changed_case_is_judged_or_an_error(case: dict[str, Any], changes: dict[str, Any]) -> None:
    result = CliRunner().invoke(app, ["judge", "-o", "json"], input=lines_of(case | changes))

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    if result.exit_code == 0:
        outcome = json.loads(result.stdout)
        assert outcome["worse"] >= 0
        assert outcome["fine"] >= 0
    else:
        assert result.exit_code == 2
        assert "line 1: " in result.stderr


@given(st.text())
def test_any_text_is_a_case_or_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+\. \S|Write"):
        parse_case_line(text)
