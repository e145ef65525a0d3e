"""Errors in expr conditions that are found without evaluating them."""

import pytest

from skywalking_provider.conditions import ConditionProblem
from skywalking_provider.conditions.expr.evaluator import ExprLanguage


async def test_check_returns_the_place_and_a_mark_below_it(conditions: ExprLanguage) -> None:
    problem = await conditions.check("true &&\nsize(result) > 1", timeout=60)
    assert problem == ConditionProblem("unknown name size", 2, 1, " | size(result) > 1\n | ^")
    assert str(problem) == "unknown name size (line 2, column 1)"


async def test_check_of_a_condition_that_is_not_boolean_returns_a_problem_without_a_place(
    conditions: ExprLanguage,
) -> None:
    problem = await conditions.check("asFloat(result) + 1", timeout=60)
    assert problem == ConditionProblem("expected bool, but got float64")
    assert str(problem) == "expected bool, but got float64"


@pytest.mark.parametrize("condition", ["", "result", "result.a.b > 1", "all(result, {.value >= 9900})"])
async def test_check_without_a_sample_accepts_a_condition_that_some_result_fits(
    conditions: ExprLanguage, condition: str
) -> None:
    assert await conditions.check(condition, timeout=60) is None


async def test_check_takes_the_types_from_the_sample(conditions: ExprLanguage) -> None:
    assert await conditions.check("result.a > 1", sample=b'{"a": "text"}', timeout=60) is None
    problem = await conditions.check("result.a > 1", sample=b"0.99", timeout=60)
    assert problem is not None
    assert (problem.message, problem.column) == ("type float64 has no field a", 8)


async def test_check_of_a_sample_that_is_not_json_returns_a_problem(conditions: ExprLanguage) -> None:
    problem = await conditions.check("result > 1", sample=b"NaN", timeout=60)
    assert problem is not None
    assert "not JSON that Argo could read" in problem.message


async def test_check_beyond_its_timeout_returns_a_problem(conditions: ExprLanguage) -> None:
    problem = await conditions.check("true", timeout=0)
    assert problem is not None
    assert "not evaluated within" in problem.message
