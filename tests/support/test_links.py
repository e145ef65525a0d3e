"""Patterns of links: their check, and that parts cannot leave their component."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.support.links import check_link_pattern, format_link

PATTERN = "https://ui.example.org/traces/{traceId}?service={service}#x"


@given(st.text(), st.text())
def test_parts_of_a_link_stay_one_component(trace_id: str, service: str) -> None:
    trace_id, service = (text.encode(errors="ignore").decode() for text in (trace_id, service))
    parts = urlsplit(format_link(PATTERN, {"traceId": trace_id, "service": service}))
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "ui.example.org", "x")
    assert unquote(parts.path.removeprefix("/traces/")) == trace_id
    assert "/" not in parts.path.removeprefix("/traces/")
    assert parse_qs(parts.query, keep_blank_values=True)["service"] == [service]


def test_missing_part_is_empty() -> None:
    assert format_link("https://h/{layer}/x", {}) == "https://h//x"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("javascript:alert({traceId})", "is not an http"),
        ("//host/{traceId}", "is not an http"),
        ("https://", "is not an http"),
        ("https://h/{trace}", "has the part {trace}, which is unknown. Use {traceId}"),
        ("https://h/{traceId", "has a brace without its pair"),
        ("https://{service}.example.org/", "has a part in its host"),
        ('https://h/"><script>', "has characters that a link cannot have"),
        ("https://h/\n", "has characters that a link cannot have"),
    ],
)
def test_invalid_pattern_is_rejected_with_its_problem(pattern: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("{", r"\{").replace("}", r"\}")):
        check_link_pattern(pattern)


def test_valid_pattern_is_kept() -> None:
    assert check_link_pattern(PATTERN) == PATTERN
