"""Patterns for the names of services that are given in parts."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.support.service_names import PARTS, check_pattern, format_service_name

LITERALS = st.text(string.ascii_letters + "|.-:", max_size=5)


@given(st.lists(st.tuples(LITERALS, st.sampled_from(PARTS)), max_size=5), LITERALS)
def test_pattern_is_filled_with_the_parts_in_its_order(pieces: list[tuple[str, str]], end: str) -> None:
    pieces = [*pieces, ("", "name")]
    pattern = "".join(f"{literal}{{{part}}}" for literal, part in pieces) + end

    assert check_pattern(pattern) == pattern
    name = format_service_name({part: part.upper() for part in PARTS}, pattern)
    assert name == "".join(f"{literal}{part.upper()}" for literal, part in pieces) + end


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{subset}|{namespace}", "{name} is missing"),
        ("reviews", "{name} is missing"),
        ("", "{name} is missing"),
        ("{name}.{zone}.{x}", "{zone} is not a part of a name. Known parts: cluster, name, namespace, subset"),
        ("{}", "{} is not a part of a name. Known parts: cluster, name, namespace, subset"),
    ],
)
def test_pattern_with_an_unknown_part_or_without_the_name_is_invalid(pattern: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        check_pattern(pattern)

    assert str(caught.value) == message


def test_part_that_only_the_pattern_has_is_named() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        format_service_name({"name": "reviews"}, "{subset}|{name}")

    assert str(caught.value) == "service.subset: is required by the backend's serviceName '{subset}|{name}'"
