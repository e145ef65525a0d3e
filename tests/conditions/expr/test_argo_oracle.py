"""Recorded outcomes of Argo's own evaluator (tests/conditions/data), compared with this one."""

from collections.abc import Callable
from typing import Any

from skywalking_provider.conditions.expr.evaluator import ExprLanguage
from skywalking_provider.support import go_json

Rows = Callable[[str], list[dict[str, Any]]]
Stream = Callable[[list[dict[str, Any]]], list[dict[str, str]]]

_NO_DATA = "metric result is nil or empty: no data returned from the metric provider"
_PHASES = {True: "Successful", False: "Failed", None: "Error"}


def _as_argo(row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the line of a case and the outcome of Argo 1.10 (expr 1.17.7; `expr_1_17_7` holds what differs there)."""
    row = row | row.get("expr_1_17_7", {})
    if row["kind"] == "phase":
        line = {key: row[key] for key in ("success", "failure", "result")}
        return line, {"phase": row["phase"], "message": row["error"] or ""}
    line = {"success": row["condition"], "failure": "", "result": row["result"]}
    message = ""
    if row["expected"] is None:
        inner = _NO_DATA if row["result"] in (None, []) else row["error"]
        message = f'could not evaluate successCondition "{row["condition"]}": {inner}'
    return line, {"phase": _PHASES[row["expected"]], "message": message}


def test_every_case_has_argos_phase_and_message(rows: Rows, stream: Stream) -> None:
    cases = [_as_argo(row) for row in rows("expr-cases.jsonl")]
    assert len(cases) == 1900
    outcomes = stream([line for line, _ in cases])
    different = [
        (line, outcome, expected)
        for (line, expected), outcome in zip(cases, outcomes, strict=True)
        if outcome != expected
    ]
    assert not different


def test_every_row_of_the_current_controller_has_its_phase_and_message(rows: Rows, stream: Stream) -> None:
    oracle = rows("eval-oracle-v1.10.0.json")
    assert len(oracle) == 66
    outcomes = stream([_line(row) for row in oracle])
    assert outcomes == [{"phase": row["phase"], "message": row.get("error", "")} for row in oracle]


async def test_every_row_of_the_current_controller_has_its_value(rows: Rows, conditions: ExprLanguage) -> None:
    for row in rows("eval-oracle-v1.10.0.json"):
        evaluation = await conditions.evaluate("", "", go_json.dump(row["result"]), timeout=60)
        assert evaluation.value == row["goJSONValue"]


def test_every_row_of_the_older_controller_has_its_phase(rows: Rows, stream: Stream) -> None:
    oracle = rows("eval-oracle-v1.8.4.json")
    assert len(oracle) == 66
    assert [outcome["phase"] for outcome in stream([_line(row) for row in oracle])] == [row["phase"] for row in oracle]


async def test_problem_found_without_a_result_is_an_error_for_every_result(
    rows: Rows, conditions: ExprLanguage
) -> None:
    found = 0
    has_problem: dict[str, bool] = {}
    for row in rows("expr-cases.jsonl"):
        if row["kind"] != "condition":
            continue
        condition = row["condition"]
        if condition not in has_problem:
            has_problem[condition] = await conditions.check(condition, timeout=60) is not None
        if has_problem[condition]:
            found += 1
            assert row["expected"] is None, condition
    assert found > 20


async def test_condition_that_argo_can_evaluate_passes_the_check_with_its_result_as_sample(
    rows: Rows, conditions: ExprLanguage
) -> None:
    for row in rows("expr-cases.jsonl"):
        if row["kind"] == "condition" and row["expected"] is not None:
            sample = go_json.dump(row["result"])
            assert await conditions.check(row["condition"], sample=sample, timeout=60) is None


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {"success": row["successCondition"], "failure": row["failureCondition"], "result": row["result"]}
