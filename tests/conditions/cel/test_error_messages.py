"""Messages for CEL conditions with an error: the condition, the place, the error and a hint."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from skywalking_provider.conditions import ConditionProblem
from skywalking_provider.conditions.cel.evaluator import CEL_LIMITS, CelLanguage
from skywalking_provider.model import Phase

pytestmark = pytest.mark.asyncio(loop_scope="module")

_RESULT = b'{"one": 1, "none": null, "text": "abc", "list": [1, 2, 3], "values": [{"value": 9987}, {"value": null}]}'
_START = "could not evaluate the conditions: "
_EXCERPT = re.compile(r" \((‘[^’]*’|at the end)\)(?=: )")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cel() -> AsyncIterator[CelLanguage]:
    """A language with time limits that are not reached, even on a busy machine."""
    conditions = CelLanguage(replace(CEL_LIMITS, seconds=30, slice_seconds=10))
    yield conditions
    await conditions.close()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        # Not CEL.
        ("result.one +", "success, column 13: the expression is incomplete"),
        ("result.one > 1 )", "success, column 16: unexpected ')'"),
        ("result.one = 1", "success, column 12: unexpected '='. Write ==."),
        ("true and true", "success, column 6: unexpected 'and'. Write &&."),
        ("true\n&& # > 1", "success, line 2, column 4: unexpected '#'. Name the item: all(v, v > 0)."),
        ("'abc", 'success, column 1: unexpected "\'". Close the string.'),
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
        ("result == None", "success, column 11: unknown name None. Write null."),
        ("len(result.list) > 1", "success, column 1: unknown function len. Use size."),
        ("all(result.list, true)", "success, column 1: unknown function all. Use list.all(v, …)."),
        ("result.list.any(v, true)", "success, column 13: unknown method any. Use exists."),
        ("'a'.matchs('b')", "success, column 5: unknown method matchs. Did you mean matches?"),
        ("result.list.all(true)", "success, column 13: all() takes a name and an expression: all(v, v.value > 0)"),
        ("has(result)", "success, column 1: has() takes a field: has(result.name)"),
        ("Foo{a: 1} == 1", "success, column 1: message types are not supported. Write a map"),
        # Fields and items.
        (
            "result.on > 0",
            "success, column 8: no field 'on'. Did you mean one?",
        ),
        ("result.one.value > 0", "success, column 12: double has no field 'value'"),
        ("result.list[3] > 0", "success, column 1: index 3 is out of range: the list has 3 items, counted from 0"),
        ("result.list[-1] > 0", "success, column 1: index -1 is out of range: the list has 3 items, counted from 0"),
        ("result.list[0.5] > 0", "success, column 1: a list index is a whole number, not 0.5"),
        ("result['nope'] > 0", 'success, column 1: no key "nope" in the map'),
        # Types.
        ("1 > 0 && result", "success, column 10: && needs true or false, not map"),
        ("result.one", "success: the condition is a double, not true or false"),
        ("1 + 1", "success: the condition is a sum, not true or false"),
        (
            "result.one > '1'",
            "success, column 1: > cannot be applied to double and string. Convert the string with double(…).",
        ),
        (
            "true && result.none > 1",
            "success, column 9: > cannot be applied to null and int. Check for a value with has(…) or != null first.",
        ),
        (
            "result.values.all(v, v.value > 0)",
            "success, column 22: > cannot be applied to null and int. Check for a value with has(…) or != null first.",
        ),
        ("result.list.filter(v, v) == []", "success, column 23: filter() needs true or false, not double"),
        ("result.one.all(v, true)", "success, column 12: all() needs a list or a map, not double"),
        (
            "result.one % 2 == 1",
            "success, column 1: % cannot be applied to double and int. Numbers of a result are doubles",
        ),
        ("'a' in result.text", "success, column 1: in needs a list or a map, not string. Use contains()"),
        ("'a' * 1000000 == ''", "success, column 1: * cannot be applied to string and int"),
        ("1 / 0 == 1", "success, column 1: integer division by zero"),
        ("9223372036854775807 + 1 > 0", "success, column 1: integer overflow: the value exceeds 64 bits"),
        ("-(-9223372036854775808) > 0", "success, column 1: integer overflow: the value exceeds 64 bits"),
        ("result.one > 9223372036854775808", "success, column 14: integer overflow: the value exceeds 64 bits"),
        ("1u - 2u > 0u", "success, column 1: integer overflow: the value exceeds 64 bits"),
        ("result.one ? true : false", "success, column 1: ? needs true or false before it, not double"),
        # null is not converted, and only some strings are.
        ("double(result.none) == 0", "success, column 1: double() takes int or uint or double or string, not null"),
        ("size(result.none) == 0", "success, column 1: size() takes string or bytes or list or map, not null"),
        ("int(result.text) == 0", "success, column 1: int() cannot convert 'abc': "),
        (
            "result.text.matches('(')",
            "success, column 13: matches() cannot convert 'abc': '(' is not a regular expression",
        ),
        ("timestamp('noon') == timestamp('noon')", "success, column 1: timestamp() cannot convert 'noon': "),
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
    assert "; failure, column 13 (at the end): the expression is incomplete" in evaluation.message


async def test_exception_inside_cel_python_is_an_error(cel: CelLanguage) -> None:
    evaluation = await cel.evaluate(r"'\U99999999' == ''", "", _RESULT, timeout=60)
    assert evaluation.phase is Phase.ERROR
    # Python 3.14 reports it as the error of an ordinary call.
    assert re.search(r"CEL evaluator failed: OverflowError|chr\(\) arg not in range", evaluation.message)


@pytest.mark.parametrize("result", [b"NaN", b"", b'{"a":', b"1e400"])
async def test_result_that_is_not_json_is_an_error(cel: CelLanguage, result: bytes) -> None:
    evaluation = await cel.evaluate("true", "", result, timeout=60)
    assert evaluation.phase is Phase.ERROR
    assert evaluation.message.startswith(_START + "the result is not JSON that Argo could read: ")


async def test_check_marks_the_place(cel: CelLanguage) -> None:
    assert await cel.check("true &&\nlen(result) > 1", timeout=60) == ConditionProblem(
        "unknown function len. Use size.", 2, 1, " | len(result) > 1\n | ^"
    )
    assert await cel.check("result.one >= 1 and true", timeout=60) == ConditionProblem(
        "unexpected 'and'. Write &&.", 1, 17, " | result.one >= 1 and true\n | ................^"
    )
    assert await cel.check("[1]", timeout=60) == ConditionProblem("the condition is a list, not true or false")
