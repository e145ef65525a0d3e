"""The value of a measurement is what Go's json.Marshal writes."""

import json
import math
import re
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skywalking_provider.conditions.expr.evaluator import ExprLanguage
from skywalking_provider.conditions.expr.instance import Sandbox, WasmInstance
from skywalking_provider.model import Phase
from skywalking_provider.support import go_json

_NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_RESULTS = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXTS, inner, max_size=5),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    opened = Sandbox(64 << 20)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def instance(sandbox: Sandbox) -> WasmInstance:
    return sandbox.new_instance()


def _marshal(instance: WasmInstance, result: bytes) -> str:
    error, value = instance.call("marshal", (result,), 5)
    assert not error, error
    return value.decode()


def _go_float(number: float) -> str:
    """Format a float64 as encoding/json does: the shortest digits, an exponent only for small and large numbers."""
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    if 1e-6 <= abs(number) < 1e21:
        text = f"{number:.17g}" if "e" in repr(number) else repr(number)
        if "e" in repr(number):  # 1e-05 and 1e+16 are written without an exponent
            digits, exponent = repr(abs(number)).split("e")
            whole, _, fraction = digits.partition(".")
            point = len(whole) + int(exponent)
            digits = whole + fraction
            text = f"0.{'0' * -point}{digits}" if point <= 0 else digits.ljust(point, "0")
            text = text if point <= 0 or len(digits) <= point else f"{digits[:point]}.{digits[point:]}"
            text = f"-{text}" if number < 0 else text
        return text.removesuffix(".0")
    return re.sub(r"\.0e", "e", re.sub(r"e-0(\d)$", r"e-\1", repr(number)))


def _equal(expected: object, actual: object) -> bool:
    match expected, actual:
        case dict(), dict():
            return expected.keys() == actual.keys() and all(_equal(expected[key], actual[key]) for key in expected)
        case list(), list():
            return len(expected) == len(actual) and all(map(_equal, expected, actual))
        case ((bool() | None | str()), _):
            return expected == actual and type(expected) is type(actual)
        case _:
            return isinstance(actual, int | float) and struct.pack("<d", float(expected)) == struct.pack(
                "<d", float(actual)
            )


def _keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name.encode() for name, _ in pairs]
    assert names == sorted(names), "keys are sorted by their bytes"
    return dict(pairs)


@settings(max_examples=300, deadline=None)
@given(result=_RESULTS)
def test_value_decodes_to_the_result_with_sorted_keys(instance: WasmInstance, result: object) -> None:
    value = _marshal(instance, go_json.dump(result))
    assert _equal(result, json.loads(value, object_pairs_hook=_keys, parse_int=float))
    assert _marshal(instance, value.encode()) == value
    assert not set("<>&\u2028\u2029") & set(value)


@settings(max_examples=500, deadline=None)
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_number_has_gos_digits_and_exponent(instance: WasmInstance, number: float) -> None:
    assert _marshal(instance, go_json.dump(number)) == _go_float(number)


@pytest.mark.parametrize(
    ("result", "value"),
    [
        ("9900.0", "9900"),
        ("1e21", "1e+21"),
        ("1e20", "100000000000000000000"),
        ("0.0000001", "1e-7"),
        ("0.000001", "0.000001"),
        ("9007199254740993", "9007199254740992"),
        ("-0", "-0"),
        ('{"b": 1, "a": "<&>"}', r'{"a":"\u003c\u0026\u003e","b":1}'),
        (r'"\ud800"', "\ufffd".join('""')),
        (r'"\ud83d\ude00 \u2028"', r'"😀 \u2028"'),
        ('{"a": 1, "a": 2}', '{"a":2}'),
        (" [ null , true ] ", "[null,true]"),
    ],
)
async def test_value_is_written_as_go_writes_it(conditions: ExprLanguage, result: str, value: str) -> None:
    evaluation = await conditions.evaluate("", "", result.encode(), timeout=60)
    assert (evaluation.phase, evaluation.value) == (Phase.SUCCESSFUL, value)
    assert await conditions.encode_value(result.encode(), timeout=60) == evaluation


@pytest.mark.parametrize("result", ["NaN", "1e400", "[Infinity]", "{", "", "1 2", "'a'", "[1,]", '{"a":-1e999}'])
async def test_result_that_go_rejects_is_an_error_even_without_conditions(
    conditions: ExprLanguage, result: str
) -> None:
    for evaluation in (
        await conditions.evaluate("", "", result.encode(), timeout=60),
        await conditions.encode_value(result.encode(), timeout=60),
    ):
        assert evaluation.phase is Phase.ERROR
        assert evaluation.message.startswith("the result is not JSON that Argo could read: ")
        assert not evaluation.value
    with pytest.raises(ValueError, match=r"."):
        go_json.load(result)


@pytest.mark.parametrize("result", ["-0", "[1e308,-1.5]", '"\\ud800"', "123456789012345678901234567890"])
async def test_result_that_passes_through_python_has_the_same_value(conditions: ExprLanguage, result: str) -> None:
    direct = await conditions.encode_value(result.encode(), timeout=60)
    assert await conditions.encode_value(go_json.dump(go_json.load(result)), timeout=60) == direct


@pytest.mark.parametrize("result", [math.nan, [math.inf]])
def test_dump_rejects_numbers_that_json_lacks(result: object) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        go_json.dump(result)


def test_nesting_beyond_pythons_limit_is_a_value_error_in_both_directions() -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        go_json.load("[" * 100_000)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deep"):
        go_json.dump(deep)


def test_condition_is_compiled_once_per_instance(sandbox: Sandbox) -> None:
    instance = sandbox.new_instance()
    for i in range(50):
        instance.call("evaluate", (b"result >= 0", b"result < 0", b"%d" % (i % 10)), 60)
    statistics = instance.statistics()
    assert (statistics.hits, statistics.misses) == (98, 2)


def test_many_different_conditions_do_not_grow_the_instance_beyond_its_limit(sandbox: Sandbox) -> None:
    instance = sandbox.new_instance()
    for i in range(400):
        padding = " || ".join(f"result == {i}.{j}" for j in range(200))
        phase, _, _ = instance.call("evaluate", (padding.encode(), b"", b"-1"), 60)
        assert phase == b"Failed"
    assert instance.memory_bytes < 32 << 20
