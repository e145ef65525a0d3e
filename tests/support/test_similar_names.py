"""Hints for unknown names: which names count as similar, and which are listed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.support.suggestions import (
    MAX_COMPARED_NAMES,
    MAX_NAME_CHARACTERS,
    describe_count,
    did_you_mean,
)

MANY = dict.fromkeys(f"agent::orders-{number:05}" for number in range(MAX_COMPARED_NAMES + 1))


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("pod-0", ["pod-1"], "Did you mean pod-1?"),
        ("pod-0", ["pod-1", "pod-2"], "Did you mean pod-2 or pod-1?"),
        ("pod-0", ["pod-1", "pod-2", "pod-3", "pod-4"], "Did you mean pod-4, pod-3 or pod-2?"),
        # Ratios: 3/7 is similar enough, 1/3 is not.
        ("abcdefg", ["abcwxyz"], "Did you mean abcwxyz?"),
        ("abc", ["axy"], "Known names: axy."),
        # 0.9 and 0.8: the margin from the best includes the second. 0.9 and 0.7: it does not.
        ("abcdefghij", ["abcdefghiX", "abcdefghXY"], "Did you mean abcdefghiX or abcdefghXY?"),
        ("abcdefghij", ["abcdefghiX", "abcdefgXYZ"], "Did you mean abcdefghiX?"),
        ("", ["a"], "Known names: a."),
        ("x", [], "No names are known."),
    ],
)
def test_did_you_mean_suggests_up_to_three_of_the_most_similar_names(name: str, known: list[str], hint: str) -> None:
    assert did_you_mean(name, known) == hint
    assert did_you_mean(name, iter(known)) == hint


@pytest.mark.parametrize(("length", "is_compared"), [(MAX_NAME_CHARACTERS, True), (MAX_NAME_CHARACTERS + 1, False)])
def test_did_you_mean_compares_names_up_to_the_limit(length: int, *, is_compared: bool) -> None:
    name = "x" * length

    for known, similar in (([name, "y"], name), ([name[1:], "y"], name[1:])):
        hint = did_you_mean(name, known)
        assert hint == (f"Did you mean {similar}?" if is_compared else f"Known names: {similar}, y.")
    suggestion = f"Did you mean {name}?" if is_compared else f"Known names: {name}, y."
    assert did_you_mean(name[:MAX_NAME_CHARACTERS], [name, "y"]) == suggestion


@pytest.mark.parametrize(
    ("lengths", "listed"),
    [
        ([100, 98], 2),  # 200 characters with the comma and the blank between them
        ([100, 99], 1),
        ([200], 1),
        ([200, 1], 1),
        ([50, 50, 50, 44], 4),
        ([50, 50, 50, 45], 3),
    ],
)
def test_did_you_mean_lists_known_names_up_to_200_characters(lengths: list[int], listed: int) -> None:
    names = [letter * length for letter, length in zip("abcd", lengths, strict=False)]

    hint = did_you_mean("?", names)

    end = "." if listed == len(names) else ", …"
    assert hint == f"Known names: {', '.join(names[:listed])}{end}"


def test_did_you_mean_cuts_a_name_of_more_than_200_characters() -> None:
    assert did_you_mean("?", ["a" * 201]) == f"Known names: {'a' * 200}…."
    assert did_you_mean("?", ["a" * 201, "b"]) == f"Known names: {'a' * 200}…, …"


def test_did_you_mean_lists_as_many_short_names_as_fit() -> None:
    names = [chr(0x4E00 + at) for at in range(100)]  # of one character

    assert did_you_mean("?", names[:67]) == f"Known names: {', '.join(names[:67])}."
    assert did_you_mean("?", names) == f"Known names: {', '.join(names[:67])}, …"


@given(st.sets(st.text("abc", min_size=1, max_size=8), min_size=1, max_size=8), st.text("abc", max_size=8))
def test_did_you_mean_suggests_known_names_only_and_the_same_for_any_order(known: set[str], name: str) -> None:
    hint = did_you_mean(name, sorted(known))

    assert did_you_mean(name, sorted(known, reverse=True)) == did_you_mean(name, known) == hint
    names = hint.removeprefix("Did you mean ").removeprefix("Known names: ").rstrip("?.").replace(" or ", ", ")
    assert set(names.split(", ")) <= known


NAMES = st.text("ab-0", min_size=1, max_size=6)


@given(NAMES, st.integers(0, 6), st.sampled_from("abz9|"), st.sampled_from(["insert", "remove", "replace", "exchange"]))
def test_did_you_mean_finds_one_edit_among_any_number_of_names(name: str, at: int, character: str, edit: str) -> None:
    at = min(at, len(name) - 1)
    typo = {
        "insert": name[:at] + character + name[at:],
        "remove": name[:at] + name[at + 1 :],
        "replace": name[:at] + character + name[at + 1 :],
        "exchange": name[:at] + name[at : at + 2][::-1] + name[at + 2 :],
    }[edit]
    known = MANY | {name: None}

    for one in (known, known.keys()):
        assert did_you_mean(typo, one) == (f"Did you mean {name}?" if typo else describe_count(known, "names"))
    assert did_you_mean(name + "z", known) == f"Did you mean {name}?"
    assert did_you_mean(f"{name}zz", known) == describe_count(known, "names")


def test_did_you_mean_among_more_names_suggests_up_to_three_with_one_edit() -> None:
    known = MANY | dict.fromkeys(["web-shop", "web-shap", "web-ship", "web-shep", "webshp", "other"])

    assert did_you_mean("web-shp", known) == "Did you mean web-shap, web-shep or web-ship?"
    assert did_you_mean("ä-1", MANY | {"ää-1": None}) == "Did you mean ää-1?"  # characters of the name itself
    assert did_you_mean("orders", MANY, "services") == "Compare it with the 10001 known services."


def test_did_you_mean_searches_a_long_sequence_for_no_edit() -> None:
    assert did_you_mean("agent::orders-0000", list(MANY)) == "Compare it with the 10001 known names."
    assert did_you_mean("agent::orders-0000x", list(MANY)[1:]).startswith("Did you mean agent::orders-0000")


def test_did_you_mean_compares_up_to_10_000_names_one_by_one() -> None:
    known = dict.fromkeys(list(MANY)[: MAX_COMPARED_NAMES - 1]) | {"web-shop": None}
    assert len(known) == MAX_COMPARED_NAMES

    assert did_you_mean("web-s", known) == "Did you mean web-shop?"  # three edits
    assert did_you_mean("?", known).startswith("Known names: agent::orders-00000, agent::orders-00001")
    assert did_you_mean("web-s", known | {"z": None}) == "Compare it with the 10001 known names."


def test_did_you_mean_sorts_up_to_a_thousand_names() -> None:
    names = [f"pod-{number:03}" for number in range(1000)]

    assert did_you_mean("pod-xyz", names) == did_you_mean("pod-xyz", names[::-1])  # all are equally similar


class CountedNames(dict[str, None]):
    """Names that count how often one is looked up."""

    lookups = 0

    def __contains__(self, name: object) -> bool:
        self.lookups += 1
        return super().__contains__(name)


@pytest.mark.parametrize("length", [1, 10, 128])
def test_did_you_mean_among_more_names_looks_up_a_hundred_for_each_character(length: int) -> None:
    known = CountedNames(MANY)

    did_you_mean("x" * length, known)

    assert 0 < known.lookups <= 100 * (length + 1)


def test_hint_without_a_comparison_has_the_number_of_known_names() -> None:
    assert describe_count(["a"], "keys") == "Compare it with the known keys."
    assert describe_count(["a", "b"], "keys") == "Compare it with the 2 known keys."
