"""Messages for CEL conditions with an error: the condition, the place, the error and a hint."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from skywalking_provider.conditions import ConditionProblem
from skywalking_provider.conditions.cel.evaluator import CelLanguage
from skywalking_provider.model import Phase

pytestmark = pytest.mark.asyncio(loop_scope="module")

_RESULT = b'{"one": 1, "none": null, "text": "abc", "list": [1, 2, 3], "values": [{"value": 9987}, {"value": null}]}'
_START = "could not evaluate the conditions: "
_EXCERPT = re.compile(r" \((‘[^’]*’|at the end)\)(?=: )")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cel() -> AsyncIterator[CelLanguage]:
    conditions = CelLanguage()
    yield conditions
    await conditions.close()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        # Not CEL.
        ("result.one +", "success, column 13: the expression is not finished"),
        ("result.one > 1 )", "success, column 16: unexpected ')'"),
        ("result.one = 1", "success, column 12: unexpected '='; CEL writes =="),
        ("true and true", "success, column 6: unexpected 'and'; CEL writes &&"),
        ("true\n&& # > 1", "success, line 2, column 4: unexpected '#'; CEL names the item: all(v, v > 0)"),
        ("'abc", 'success, column 1: unexpected "\'"; the text has no end'),
        # Names.
        (
            "true ||\n  resutl > 1",
            "success, line 2, column 3: unknown name resutl. Did you mean result?",
        ),
        ("value > 1", "success, column 1: unknown name value. Known variables: result."),
        (
            "result.list.all(v, w > 1)",
            "success, column 20: unknown name w. Known variables: result, v.",
        ),
        ("result == None", "success, column 11: unknown name None; CEL writes null"),
        ("len(result.list) > 1", "success, column 1: unknown function len; CEL has size"),
        ("all(result.list, true)", "success, column 1: unknown function all; CEL has list.all(v, …)"),
        ("result.list.any(v, true)", "success, column 13: unknown method any; CEL has exists"),
        ("'a'.matchs('b')", "success, column 5: unknown method matchs. Did you mean matches?"),
        ("result.list.all(true)", "success, column 13: all() takes a name and an expression: all(v, v.value > 0)"),
        ("has(result)", "success, column 1: has() asks for a field: has(result.name)"),
        ("Foo{a: 1} == 1", "success, column 1: there are no message types here"),
        # Fields and items.
        (
            "result.on > 0",
            "success, column 8: no field 'on'. Did you mean one?",
        ),
        ("result.one.value > 0", "success, column 12: double has no field 'value'"),
        ("result.list[3] > 0", "success, column 1: no item 3 in a list of 3 (the first is 0)"),
        ("result.list[-1] > 0", "success, column 1: no item -1 in a list of 3 (the first is 0)"),
        ("result.list[0.5] > 0", "success, column 1: a list is indexed by a whole number, not by 0.5"),
        ("result['nope'] > 0", 'success, column 1: no key "nope" in the map'),
        # Kinds.
        ("1 > 0 && result", "success, column 10: && takes true or false, not map"),
        ("result.one", "success: a condition is true or false, and this is double"),
        ("1 + 1", "success: a condition is true or false, and this is a sum"),
        ("result.one > '1'", "success, column 1: there is no double > string; double(…) makes a number of a string"),
        (
            "true && result.none > 1",
            "success, column 9: there is no null > int; has(…) or != null asks first whether there is a value",
        ),
        (
            "result.values.all(v, v.value > 0)",
            "success, column 22: there is no null > int; has(…) or != null asks first whether there is a value",
        ),
        ("result.list.filter(v, v) == []", "success, column 23: filter() asks for true or false, not double"),
        ("result.one.all(v, true)", "success, column 12: all() goes over a list or the keys of a map, not double"),
        ("result.one % 2 == 1", "success, column 1: there is no double % int; the numbers of a result are doubles"),
        ("'a' in result.text", "success, column 1: in looks into a list or a map, not into a string; a part of a"),
        ("'a' * 1000000 == ''", "success, column 1: there is no string * int"),
        ("1 / 0 == 1", "success, column 1: an integer is divided by zero"),
        ("9223372036854775807 + 1 > 0", "success, column 1: an integer beyond what 64 bits hold"),
        ("result.one ? true : false", "success, column 1: ? takes true or false before it, not double"),
        # Nothing is made of null, and little of text.
        ("double(result.none) == 0", "success, column 1: double() takes int or uint or double or string, not null"),
        ("size(result.none) == 0", "success, column 1: size() takes string or bytes or list or map, not null"),
        ("int(result.text) == 0", "success, column 1: int() cannot read 'abc': "),
        ("result.text.matches('(')", "success, column 13: matches() cannot read 'abc': '(' is no regular expression"),
        ("timestamp('noon') == timestamp('noon')", "success, column 1: timestamp() cannot read 'noon': "),
    ],
)
async def test_error_has_its_condition_its_place_and_a_hint(cel: CelLanguage, condition: str, expected: str) -> None:
    evaluation = await cel.evaluate(condition, "", _RESULT, timeout=60)
    assert evaluation.phase is Phase.ERROR
    assert _EXCERPT.sub("", evaluation.message, count=1).startswith(_START + expected), evaluation.message
    assert "\n" not in evaluation.message
    assert len(evaluation.message) < 500


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("result.one > 1 )", "success, column 16 (‘)’): "),
        ("result.one +", "success, column 13 (at the end): "),
        ("true\n&& # > 1", "success, line 2, column 4 (‘# > 1’): "),
        ("result.values.all(v, v.value > 0)", "success, column 22 (‘v.value > 0)’): "),
        ("result.nope > 1 && result.one < 2 && true", "success, column 8 (‘nope > 1 && result.one < 2 && t…’): "),
        ("result.one", "success: "),
    ],
)
async def test_error_has_an_excerpt_of_the_condition(cel: CelLanguage, condition: str, expected: str) -> None:
    evaluation = await cel.evaluate(condition, "", _RESULT, timeout=60)
    assert evaluation.message.startswith(_START + expected), evaluation.message


async def test_errors_in_both_conditions_are_reported(cel: CelLanguage) -> None:
    evaluation = await cel.evaluate("resutl > 1", "result.one >", _RESULT, timeout=60)
    assert "success, column 1 (‘resutl > 1’): unknown name resutl" in evaluation.message
    assert "; failure, column 13 (at the end): the expression is not finished" in evaluation.message


async def test_exception_inside_cel_python_is_an_error(cel: CelLanguage) -> None:
    evaluation = await cel.evaluate(r"'\U99999999' == ''", "", _RESULT, timeout=60)
    assert evaluation.phase is Phase.ERROR
    assert "CEL evaluator failed: OverflowError" in evaluation.message


@pytest.mark.parametrize("result", [b"NaN", b"", b'{"a":', b"1e400"])
async def test_result_that_is_not_json_is_an_error(cel: CelLanguage, result: bytes) -> None:
    evaluation = await cel.evaluate("true", "", result, timeout=60)
    assert evaluation.phase is Phase.ERROR
    assert evaluation.message.startswith(_START + "the result is not JSON that Argo could read: ")


async def test_check_marks_the_place(cel: CelLanguage) -> None:
    assert await cel.check("true &&\nlen(result) > 1", timeout=60) == ConditionProblem(
        "unknown function len; CEL has size", 2, 1, " | len(result) > 1\n | ^"
    )
    assert await cel.check("result.one >= 1 and true", timeout=60) == ConditionProblem(
        "unexpected 'and'; CEL writes &&", 1, 17, " | result.one >= 1 and true\n | ................^"
    )
    assert await cel.check("[1]", timeout=60) == ConditionProblem("a condition is true or false, and this is a list")
