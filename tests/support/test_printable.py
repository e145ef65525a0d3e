"""Printable form of texts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.support.printable import (
    escape_unprintable_json,
    printable_line,
    printable_values,
    replace_unprintable,
)

DANGEROUS = [
    *map(chr, (*range(0x20), *range(0x7F, 0xA0))),
    *"\u061c\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff",
    "\ud800",
    "\udfff",
    "\U000e0041",  # a tag character
    "\ue000",
]
JSON = st.recursive(st.none() | st.booleans() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one))


@pytest.mark.parametrize("character", DANGEROUS, ids=lambda one: f"U+{ord(one):04X}")
def test_character_without_a_glyph_is_replaced(character: str) -> None:
    assert printable_line(f"a{character}b") == "a\N{REPLACEMENT CHARACTER}b"
    if character not in "\n\t":
        assert replace_unprintable(f"a{character}b\n") == "a\N{REPLACEMENT CHARACTER}b\n"


def test_text_in_any_script_and_spaces_of_another_width_stay_readable() -> None:
    assert printable_line("café 查询 עברית 🚀") == "café 查询 עברית 🚀"
    assert printable_line("1\N{NO-BREAK SPACE}000\N{IDEOGRAPHIC SPACE}x") == "1 000 x"


@given(st.text(st.characters()))
def test_any_text_becomes_printable_and_keeps_its_length(text: str) -> None:
    line, block = printable_line(text), replace_unprintable(text)

    assert line.isprintable()
    assert all(one.isprintable() or one in "\n\t" for one in block)
    assert len(line) == len(block) == len(text)
    assert printable_line(line) == line


@given(JSON)
def test_json_is_printable_and_means_the_same(value: Any) -> None:
    text = escape_unprintable_json(json.dumps(value, ensure_ascii=False, indent=2))

    assert all(one.isprintable() or one == "\n" for one in text)
    assert json.loads(text) == value


@given(JSON)
def test_every_text_of_a_value_becomes_printable(value: Any) -> None:
    assert json.dumps(printable_values(value), ensure_ascii=False).isprintable()
