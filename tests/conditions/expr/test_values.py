"""The measurement's value is what Go's json.Marshal writes."""

import asyncio
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
def guest() -> Iterator[WasmInstance]:
    sandbox = Sandbox(64 << 20)
    yield sandbox.new_instance()
    sandbox.close()


def _marshal(guest: WasmInstance, result: bytes) -> str:
    error, value = guest.call("marshal", (result,), 5)
    assert not error, error
    return value.decode()


def _go_float(number: float) -> str:
    """encoding/json's form of a float64: the shortest digits, an exponent only where it is small or large."""
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    if 1e-6 <= abs(number) < 1e21:
        text = f"{number:.17g}" if "e" in repr(number) else repr(number)
        if "e" in repr(number):  # 1e-05 and 1e+16 have their digits in full
            digits, exponent = repr(abs(number)).split("e")
            whole, _, fraction = digits.partition(".")
            point = len(whole) + int(exponent)
            digits = whole + fraction
            text = f"0.{'0' * -point}{digits}" if point <= 0 else digits.ljust(point, "0")
            text = text if point <= 0 or len(digits) <= point else f"{digits[:point]}.{digits[point:]}"
            text = f"-{text}" if number < 0 else text
        return text.removesuffix(".0")
    return re.sub(r"\.0e", "e", re.sub(r"e-0(\d)$", r"e-\1", repr(number)))


def _equal(ours: object, theirs: object) -> bool:
    match ours, theirs:
        case dict(), dict():
            return ours.keys() == theirs.keys() and all(_equal(ours[key], theirs[key]) for key in ours)
        case list(), list():
            return len(ours) == len(theirs) and all(map(_equal, ours, theirs))
        case ((bool() | None | str()), _):
            return ours == theirs and type(ours) is type(theirs)
        case _:
            return isinstance(theirs, int | float) and struct.pack("<d", float(ours)) == struct.pack(
                "<d", float(theirs)
            )


def _keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name.encode() for name, _ in pairs]
    assert names == sorted(names), "keys are sorted by their bytes"
    return dict(pairs)


@settings(max_examples=300, deadline=None)
@given(result=_RESULTS)
def test_a_value_reads_back_as_the_result_with_its_keys_sorted(guest: WasmInstance, result: object) -> None:
    value = _marshal(guest, go_json.dump(result))
    assert _equal(result, json.loads(value, object_pairs_hook=_keys, parse_int=float))
    assert _marshal(guest, value.encode()) == value
    assert not set("<>&\u2028\u2029") & set(value)


@settings(max_examples=500, deadline=None)
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_has_gos_digits_and_exponent(guest: WasmInstance, number: float) -> None:
    assert _marshal(guest, go_json.dump(number)) == _go_float(number)


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
async def test_a_value_is_written_as_go_writes_it(conditions: ExprLanguage, result: str, value: str) -> None:
    judged = await conditions.evaluate("", "", result.encode(), timeout=60)
    assert (judged.phase, judged.value) == (Phase.SUCCESSFUL, value)
    assert await conditions.encode_value(result.encode(), timeout=60) == judged


@pytest.mark.parametrize("result", ["NaN", "1e400", "[Infinity]", "{", "", "1 2", "'a'", "[1,]", '{"a":-1e999}'])
async def test_a_result_that_go_refuses_is_an_error_even_without_conditions(
    conditions: ExprLanguage, result: str
) -> None:
    for judged in (
        await conditions.evaluate("", "", result.encode(), timeout=60),
        await conditions.encode_value(result.encode(), timeout=60),
    ):
        assert judged.phase is Phase.ERROR
        assert judged.message.startswith("the result is not JSON that Argo could read: ")
        assert not judged.value
    with pytest.raises(ValueError, match=r"."):
        go_json.load(result)


@pytest.mark.parametrize("result", ["-0", "[1e308,-1.5]", '"\\ud800"', "123456789012345678901234567890"])
async def test_a_result_that_passes_through_python_is_the_same_to_go(conditions: ExprLanguage, result: str) -> None:
    direct = await conditions.encode_value(result.encode(), timeout=60)
    assert await conditions.encode_value(go_json.dump(go_json.load(result)), timeout=60) == direct


@pytest.mark.parametrize("result", [math.nan, [math.inf]])
def test_what_json_has_no_number_for_is_refused_in_python(result: object) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        go_json.dump(result)


def test_nesting_that_python_cannot_follow_is_a_value_error_both_ways() -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        go_json.load("[" * 100_000)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deep"):
        go_json.dump(deep)


async def test_a_condition_is_compiled_once_in_a_guest_however_often_it_is_asked(conditions: ExprLanguage) -> None:
    for i in range(50):
        await conditions.evaluate("result >= 0", "result < 0", b"%d" % (i % 10), timeout=60)
    quick, here = conditions._scheduler._fast._pool.instance, conditions._scheduler._inline_pool.instance
    assert quick is not None
    assert here is not None  # light from the second time on
    in_quick, in_here = await asyncio.to_thread(quick.statistics), here.statistics()
    assert (in_quick.hits, in_quick.misses) == (0, 2)
    assert (in_here.hits, in_here.misses) == (96, 2)


async def test_many_different_conditions_leave_the_guest_small(conditions: ExprLanguage) -> None:
    for i in range(400):
        padding = " || ".join(f"result == {i}.{j}" for j in range(200))
        assert (await conditions.evaluate(padding, "", b"-1", timeout=60)).phase is Phase.FAILED
    guest = conditions._scheduler._fast._pool.instance
    assert guest is not None
    assert guest.memory_bytes < 32 << 20
