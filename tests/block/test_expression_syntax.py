"""Syntax of metrics query expressions: OAP ignores what follows a complete one, so the check rejects it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.block.expression_syntax import (
    MAX_EXPRESSION,
    called_functions,
    check_expression,
    extract_labels,
    extract_metric_names,
    ranked_metrics,
    ranking_function,
)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
BLANKS = st.sampled_from(["", " ", "\n", "\t  "])
OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", ">", "<", "==", "!=", ">=", "<=", "&&", "||"])
LABELED = st.builds(lambda name, label: f"{name}{{p='{label}'}}", NAMES, st.sampled_from(["50", "50,99", "a b"]))
EXPRESSIONS = st.recursive(
    NAMES | LABELED | st.sampled_from(["1", "2.5"]),
    lambda inner: (
        st.builds(
            lambda one, blank, operator, other: f"{one}{blank}{operator}{blank}{other}", inner, BLANKS, OPERATORS, inner
        )
        | st.builds(lambda one, blank: f"({blank}{one}{blank})", inner, BLANKS)
        | st.builds(lambda name, one, other: f"{name}({one}, {other})", NAMES, inner, inner)
    ),
    max_leaves=6,
)


def problem(text: str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the tests compare the whole message
        check_expression(text)
    return str(caught.value)


@given(EXPRESSIONS, BLANKS)
def test_expression_is_returned_as_it_is_written(text: str, blank: str) -> None:
    assert check_expression(blank + text + blank) == blank + text + blank


@given(EXPRESSIONS, NAMES | st.sampled_from(["1", "'x'"]))
def test_word_after_a_complete_expression_is_rejected_with_its_column(text: str, word: str) -> None:
    message = problem(f"{text} {word}")

    assert message == f"column {len(text) + 2}: {word!r} follows a complete expression; OAP would ignore it"


@given(EXPRESSIONS, OPERATORS | st.sampled_from([",", "(", "["]))
def test_expression_without_its_end_is_rejected(text: str, end: str) -> None:
    assert problem(f"({text}{end}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the expression is incomplete at its end"),
        ("  ", "the expression is incomplete at its end"),
        ("service_cpm +", "the expression is incomplete at its end"),
        ("avg(service_cpm", "')' is missing at the end"),
        ("avg(service_cpm) + (top_n{", "'}' is missing at the end"),
        ("service_percentile{p='99'", "'}' is missing at the end"),
        ("service_cpm)", "column 12: ')' has no opening bracket; OAP would ignore it"),
        ("(service_cpm]", "column 13: ']' has no opening bracket; OAP would ignore it"),
        ("service_cpm, 1", "column 12: ',' is outside brackets; OAP would ignore it"),
        ("service_cpm [1]", "column 13: '[' follows a complete expression; OAP would ignore it"),
        ("(a) (b)", "column 5: '(' follows a complete expression; OAP would ignore it"),
        ("2(b)", "column 2: '(' follows a complete expression; OAP would ignore it"),
        ("'x'{p='1'}", "column 4: '{' follows a complete expression; OAP would ignore it"),
        ("a{p='1'}{p='2'}", "column 9: '{' follows a complete expression; OAP would ignore it"),
        ("service_cpm ; x y", "column 13: ';' is not part of an expression"),
        ("a +\n  ;b", "column 7: ';b' is not part of an expression"),
        ("ä", "column 1: 'ä' is not part of an expression"),
        ("a + " + ";" * 30, f"column 5: {';' * 20!r} is not part of an expression"),
        ("a + 'open", 'column 5: "\'open" is not part of an expression'),
        ("a = b c", "column 7: 'c' follows a complete expression; OAP would ignore it"),
    ],
)
def test_misplaced_part_of_an_expression_is_rejected_with_its_column(text: str, message: str) -> None:
    assert problem(text) == message


def test_expression_has_at_most_4096_characters() -> None:
    longest = "a" + "+a" * 2047 + " "
    assert len(longest) == MAX_EXPRESSION

    assert check_expression(longest) == longest
    assert problem(longest + " ") == "has 4097 characters; at most 4096 are allowed"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("service_cpm", ["service_cpm"]),
        ("avg(service_sla) / 100", ["service_sla"]),
        ("avg (service_sla)", ["service_sla"]),
        ("service_percentile{p='99'} + service_cpm", ["service_percentile", "service_cpm"]),
        ("a{x='1', y='2'} > b[c] + d", ["a", "b", "c", "d"]),
        ("top_n(service_cpm, 10, asc)", ["service_cpm", "asc"]),
        ("1 + 2", []),
    ],
)
def test_metric_names_are_those_that_are_neither_functions_nor_labels(text: str, names: list[str]) -> None:
    assert extract_metric_names(text) == names


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("top_n(service_cpm, 10, des)", "top_n"),
        ("1 + top_n_of (top_n(a, 1, asc), 10)", "top_n_of"),
        ("avg(service_cpm)", ""),
        ("top_n", ""),
        ("top_n + avg(x)", ""),
        ("service_cpm", ""),
    ],
)
def test_ranking_function_is_the_first_call_of_one(text: str, function: str) -> None:
    assert ranking_function(text) == function


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("m{p='50',code=\"200\"}", [("m", "p", "50"), ("m", "code", "200")]),
        ("f(m{p=' 50 ,, 99'},x,'y')", [("m", "p", "50"), ("m", "p", "99")]),
        ("m[a='1']", []),
        ("m + {p='1'}", [("", "p", "1")]),
        ("{p='1'}", [("", "p", "1")]),
        ("m{a='1'} + n, b, '2'", [("m", "a", "1")]),
        ("m{a=1}", [("m", "a", "1")]),
        ("m{'1'}", [("m", "", "1")]),
        ("m{a='XX1XX'}", [("m", "a", "XX1XX")]),
    ],
)
def test_labels_belong_to_the_metric_before_their_braces(text: str, labels: list[tuple[str, str, str]]) -> None:
    assert extract_labels(text) == labels


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ("top_n(a, 10, asc)", ["a"]),
        ("top_n_of(top_n(a, 1, des), top_n (b{p='1'}, 2, asc), 3, des)", ["a", "b"]),
        ("avg(top_n)", []),
        ("top_n[a]", []),
        ("avg(a)", []),
    ],
)
def test_ranked_metrics_are_the_first_arguments_of_top_n(text: str, metrics: list[str]) -> None:
    assert ranked_metrics(text) == metrics


@pytest.mark.parametrize(
    ("text", "functions"),
    [
        ("avg(service_cpm)", ["avg"]),
        ("top_n_of(top_n(a, 1, des), top_n (b, 2, asc))", ["top_n_of", "top_n"]),
        ("a + b", []),
    ],
)
def test_called_functions_are_listed_once_in_their_order(text: str, functions: list[str]) -> None:
    assert called_functions(text) == functions
