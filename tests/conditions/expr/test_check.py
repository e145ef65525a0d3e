import pytest

from skywalking_provider.conditions import ConditionProblem
from skywalking_provider.conditions.expr.evaluator import ExprLanguage


async def test_a_mistake_has_its_place_and_a_mark_under_it(conditions: ExprLanguage) -> None:
    mistake = await conditions.check("true &&\nsize(result) > 1", timeout=60)
    assert mistake == ConditionProblem("unknown name size", 2, 1, " | size(result) > 1\n | ^")
    assert str(mistake) == "unknown name size (line 2, column 1)"


async def test_a_condition_that_is_never_true_or_false_is_a_mistake_of_the_whole(conditions: ExprLanguage) -> None:
    mistake = await conditions.check("asFloat(result) + 1", timeout=60)
    assert mistake == ConditionProblem("expected bool, but got float64")
    assert str(mistake) == "expected bool, but got float64"


@pytest.mark.parametrize("condition", ["", "result", "result.a.b > 1", "all(result, {.value >= 9900})"])
async def test_what_some_result_makes_right_is_no_mistake(conditions: ExprLanguage, condition: str) -> None:
    assert await conditions.check(condition, timeout=60) is None


async def test_a_sample_tells_the_types(conditions: ExprLanguage) -> None:
    assert await conditions.check("result.a > 1", sample=b'{"a": "text"}', timeout=60) is None
    mistake = await conditions.check("result.a > 1", sample=b"0.99", timeout=60)
    assert mistake is not None
    assert (mistake.message, mistake.column) == ("type float64 has no field a", 8)


async def test_a_sample_that_is_no_json_is_said_to_be_none(conditions: ExprLanguage) -> None:
    mistake = await conditions.check("result > 1", sample=b"NaN", timeout=60)
    assert mistake is not None
    assert "not JSON that Argo could read" in mistake.message


async def test_a_check_that_does_not_end_is_a_mistake_in_time(conditions: ExprLanguage) -> None:
    mistake = await conditions.check("true", timeout=0)
    assert mistake is not None
    assert "no answer within" in mistake.message
