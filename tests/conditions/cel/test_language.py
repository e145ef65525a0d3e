"""Semantics of CEL conditions."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from skywalking_provider.conditions import Evaluation
from skywalking_provider.conditions.cel.evaluator import CEL_LIMITS, CelLanguage
from skywalking_provider.model import Phase

pytestmark = pytest.mark.asyncio(loop_scope="module")

_RESULT: dict[str, Any] = {
    "one": 1,
    "ratio": 0.995,
    "big": 9007199254740992,
    "none": None,
    "text": "12.5",
    "yes": True,
    "zero": 0,
    "list": [1, 2, 3],
    "values": [{"value": 9987}, {"value": 9912.5}, {"value": None}],
    "empty": [],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cel() -> AsyncIterator[CelLanguage]:
    """A language with time limits that are not reached, even on a busy machine."""
    conditions = CelLanguage(replace(CEL_LIMITS, seconds=30, slice_seconds=10))
    yield conditions
    await conditions.close()


async def _evaluate(cel: CelLanguage, success: str, failure: str = "", result: object = _RESULT) -> Evaluation:
    return await cel.evaluate(success, failure, json.dumps(result).encode(), timeout=60)


@pytest.mark.parametrize(
    ("success", "failure", "phase"),
    [
        ("", "", Phase.SUCCESSFUL),
        ("true", "", Phase.SUCCESSFUL),
        ("false", "", Phase.FAILED),
        ("", "true", Phase.FAILED),
        ("", "false", Phase.SUCCESSFUL),
        ("true", "true", Phase.FAILED),
        ("true", "false", Phase.SUCCESSFUL),
        ("false", "true", Phase.FAILED),
        ("false", "false", Phase.INCONCLUSIVE),
        ("result.nope", "true", Phase.ERROR),
        ("true", "result.nope", Phase.ERROR),
        ("false", "1 +", Phase.ERROR),
    ],
)
async def test_both_conditions_are_combined_by_argos_rules(
    cel: CelLanguage, success: str, failure: str, phase: Phase
) -> None:
    evaluation = await _evaluate(cel, success, failure)
    assert evaluation.phase is phase
    assert bool(evaluation.message) is (phase is Phase.ERROR)
    assert evaluation.value == ""


@pytest.mark.parametrize(
    "condition",
    [
        # Numbers, whatever their types.
        "result.one == 1 && result.one == 1.0 && result.one == 1u && 1 == 1.0 && 1u == 1",
        "result.one >= 0.99 && result.ratio < 1 && 1 > 0.99 && 2u > 1.5 && 1 != 1.5",
        "result.one + 1 == 2 && result.one * 100 == 100.0 && 1 + 0.5 == 1.5 && 3u - 1 == 2",
        "result.one / 3 > 0.33 && 7 / 2 == 3 && -7 / 2 == -3 && 7 / 2.0 == 3.5",
        "-7 % 3 == -1 && int(result.one) % 2 == 1",
        "result.big == 9007199254740992 && result.big < 9007199254740993",
        "-result.one == -1 && result.one -1 == 0 && result.one-1 == 0",
        "result.list[0] == 1 && result.list[result.one] == 2 && result.list[2.0] == 3",
        "2 in result.list && 2.0 in [1, 2] && !(7 in result.list) && !('2' in result.list)",
        "[1, 2] == [1.0, 2.0] && {'a': 1} == {'a': 1.0} && [1] != [1, 2] && {1: 'x'}[1.0] == 'x'",
        # 0/0 is NaN: it is neither above nor below a threshold.
        "!(result.zero / result.zero >= 0.99) && !(result.zero / result.zero < 0.99)",
        "result.one / result.zero > 1e308 && -result.one / result.zero < -1e308",
        # Null.
        "result.none == null && result.one != null && null != 0 && result.text != null",
        "result.values[0].value != null && result.values[2].value == null",
        "type(result.none) == null_type && type(result.one) != type(null) && type(result.one) == double",
        # Values of different types are unequal; comparing them is not an error.
        "result.text != 12.5 && result.yes != 1 && [1] != {'a': 1} && 'a' != b'a'",
        # Fields.
        "has(result.one) && has(result.none) && !has(result.nope) && !has(result.nope.deeper)",
        "result['one'] == 1 && 'one' in result && !('nope' in result) && .result.one == 1",
        # Macros.
        "result.values.all(v, v.value == null || v.value > 9900)",
        "result.values.exists(v, v.value > 9980) && !result.list.exists(v, v > 3)",
        "result.values.exists_one(v, v.value == null) && !result.list.exists_one(v, v > 1)",
        "result.values.filter(v, v.value != null).map(v, v.value / 100) == [99.87, 99.125]",
        "result.empty.all(v, v > 1) && !result.empty.exists(v, v > 1)",
        "result.list.map(v, result.list.map(w, v * w)) == [[1, 2, 3], [2, 4, 6], [3, 6, 9]]",
        "result.list.map(v, result.list.map(v, v * 10)[0] + v) == [11, 12, 13]",
        "{'a': 1, 'b': 2}.all(k, k.matches('^[ab]$')) && result.map(k, k).size() == 10",
        # Logic: an error beside a deciding value is ignored.
        "true || result.nope",
        "result.nope > 1 || true",
        "!(result.nope && false)",
        "result.list.exists(v, v == 3 || v.nope)",
        "true ? true : result.nope",
        # Strings.
        "double(result.text) > 12 && int('7') == 7 && string(result.one) == '1' && string(true) == 'true'",
        "result.text.matches('^[0-9.]+$') && !result.text.matches('^[a-z]') && matches('abc', 'b')",
        "'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c') && 'a' + 'b' == 'ab' && 'a' < 'b'",
        "size(result.list) == 3 && result.list.size() == 3 && 'héé'.size() == 3 && size({}) == 0",
        # Time.
        "timestamp('2026-01-01T01:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('1h')",
        "timestamp('2026-01-01T00:30:00Z') + duration('45m') > timestamp('2026-01-01T01:00:00Z')",
        "timestamp('2026-02-03T04:05:06Z').getHours() == 4 && duration('90s').getMinutes() == 1",
        # Writing.
        "dyn(result.one) == 1 // comment",
        "(((((((((((((((((((((((((((((((result.one)))))))))))))))))))))))))))))) == 1)",
        "result.one == 1\n  && result.ratio > 0.9",
        r"r'\d' == '\\d' && '\u00e9' == 'é' && b'a' == b'a'",
    ],
)
async def test_condition_is_true_and_its_negation_false(cel: CelLanguage, condition: str) -> None:
    assert await _evaluate(cel, condition) == Evaluation(Phase.SUCCESSFUL)
    assert await _evaluate(cel, f"!({condition.removesuffix(' // comment')})") == Evaluation(Phase.FAILED)


async def test_result_may_be_a_number(cel: CelLanguage) -> None:
    assert (await _evaluate(cel, "result >= 0.99", result=1)).phase is Phase.SUCCESSFUL
    assert (await _evaluate(cel, "result >= 0.99", "result < 0.95", result=0.97)).phase is Phase.INCONCLUSIVE
    assert (await _evaluate(cel, "result >= 0.99", "result < 0.95", result=0.5)).phase is Phase.FAILED


async def test_check_takes_the_types_from_the_sample(
    cel: CelLanguage,
) -> None:
    assert await cel.check("", timeout=60) is None
    assert await cel.check("result.a > 1", timeout=60) is None
    assert await cel.check("result.a > 1", sample=b'{"a": 2}', timeout=60) is None
    problem = await cel.check("result.a > 1", sample=b'{"a": "text"}', timeout=60)
    assert problem is not None
    assert "> cannot be applied to string and int" in problem.message
    problem = await cel.check("result.a", sample=b'{"a": 1}', timeout=60)
    assert problem is not None
    assert str(problem) == "the condition is a double, not true or false"


_INTS = st.integers(-(2**53), 2**53)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_NEAR = st.integers(-5, 5).flatmap(lambda n: st.sampled_from([n, float(n), n + 0.5, -n]))
_OPERATORS = ("==", "!=", "<", "<=", ">", ">=")


def _literal(number: float) -> str:
    # An integer literal has 64 bits. The brackets keep the minus sign of -0.0 with its number.
    return f"({number!r})" if "e" not in repr(number) or "." in repr(number) else f"({number!r})".replace("e", ".0e")


@given(left=_INTS | _FLOATS | _NEAR, right=_INTS | _FLOATS | _NEAR)
@example(left=1, right=1.0)
@example(left=2**53, right=2**53 - 1)
@example(left=-0.0, right=0)
@example(left=5e-324, right=0)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_numbers_compare_by_value_whatever_their_types(cel: CelLanguage, left: float, right: float) -> None:
    for operator in _OPERATORS:
        expected = Phase.SUCCESSFUL if eval(f"left {operator} right") else Phase.FAILED  # noqa: S307 — Python's opinion
        of_result = await _evaluate(cel, f"result[0] {operator} result[1]", result=[left, right])
        of_literal = await _evaluate(cel, f"result {operator} {_literal(right)}", result=left)
        assert (of_result, of_literal) == (Evaluation(expected), Evaluation(expected))


@given(left=st.integers(-(2**63), 2**63 - 1), right=st.integers(-(2**63), 2**63 - 1) | _FLOATS)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_integer_literals_keep_all_their_digits(cel: CelLanguage, left: int, right: float) -> None:
    for operator in _OPERATORS:
        expected = Phase.SUCCESSFUL if eval(f"left {operator} right") else Phase.FAILED  # noqa: S307 — Python's opinion
        assert await _evaluate(cel, f"({left}) {operator} {_literal(right)}") == Evaluation(expected)


@pytest.mark.parametrize(
    ("condition", "phase"),
    [
        ("result == 1.0 || result > 99999999999999999999", Phase.SUCCESSFUL),
        ("99999999999999999999 > 1 || result == 1.0", Phase.SUCCESSFUL),
        ("false && result > 99999999999999999999u", Phase.FAILED),
        ("result == 1.0 ? true : 0xFFFFFFFFFFFFFFFFF > 1", Phase.SUCCESSFUL),
    ],
)
async def test_integer_literal_beyond_64_bits_is_no_error_where_its_value_does_not_count(
    cel: CelLanguage, condition: str, phase: Phase
) -> None:
    assert await _evaluate(cel, condition, result=1) == Evaluation(phase)
    assert await cel.check(condition, timeout=60) is None


async def test_condition_beyond_2_kib_is_rejected(cel: CelLanguage) -> None:
    fits = "true" + " " * (CEL_LIMITS.condition_bytes - 4)
    assert (await _evaluate(cel, fits)).phase is Phase.SUCCESSFUL
    evaluation = await _evaluate(cel, "true", fits + " ")
    assert evaluation.phase is Phase.ERROR
    assert "conditions.failure has 2,049 bytes, limit 2,048. Shorten it" in evaluation.message
    problem = await cel.check(fits + " ", timeout=60)
    assert problem is not None
    assert "2,049" in problem.message
