"""Depth of JSON documents: the same on every version of Python."""

import sys

import pytest

from skywalking_provider.support import go_json


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_document_of_many_levels_is_decoded_up_to_the_limit(opened: str, closed: str) -> None:
    assert go_json.load(opened * 900 + "1" + closed * 900)
    for depth in (1_001, 5_000, 500_000):
        with pytest.raises(ValueError, match="nested too deep"):
            go_json.load(opened * depth + "1" + closed * depth)


@pytest.mark.parametrize("text", ['"[[{{"', r'"\\\"[["', '"\ud800[[[["'])
def test_brackets_in_texts_and_of_many_values_are_not_levels(text: str) -> None:
    assert go_json.load(f"[{', '.join([text] * 1_000)}]") == [go_json.load(text)] * 1_000
    assert go_json.load(f"[{', '.join(['{}'] * 5_000)}]") == [{}] * 5_000


@pytest.mark.parametrize("text", ['"]]]}}}"', r'"\\\"]]]}}}\\"'])
def test_brackets_in_texts_do_not_hide_levels(text: str) -> None:
    # Python 3.13 decodes any depth. Older versions do with a higher limit.
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        with pytest.raises(ValueError, match="nested too deep"):
            go_json.load(f"[{', '.join([text] * 1_000)}, {'[' * 1_500}1{']' * 1_500}]")
    finally:
        sys.setrecursionlimit(limit)
