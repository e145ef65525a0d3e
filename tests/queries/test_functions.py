"""Hints for the functions of an expression that an OAP takes for unknown metrics."""

import pytest

from skywalking_provider.queries.functions import suggest_functions

UNKNOWN = "Metric: [{}] does not exist."


@pytest.mark.parametrize(
    ("expression", "name", "hint"),
    [
        ("rate(service_cpm,2)", "rate", "The function rate needs OAP 9.7 or newer."),
        ("avg(service_cpm)", "avg", "The function avg needs OAP 9.5 or newer."),
        ("relabel(a{p='50'},p='50',q='x')", "relabel", "Write relabels: relabel is not a function."),
        ("averge(service_cpm)", "averge", "Did you mean avg?"),
    ],
)
def test_function_that_the_oap_rejects_has_its_version_or_its_name(expression: str, name: str, hint: str) -> None:
    assert suggest_functions(expression, UNKNOWN.format(name), ()) == hint


def test_function_that_the_oap_does_not_name_has_no_hint_if_any_oap_knows_it() -> None:
    assert suggest_functions("avg(rate(a,2)) + relabel(a)", UNKNOWN.format("rate"), ()) == (
        "The function rate needs OAP 9.7 or newer. Write relabels: relabel is not a function."
    )


def test_function_with_the_name_of_a_metric_has_no_hint() -> None:
    assert suggest_functions("averge(service_cpm)", UNKNOWN.format("averge"), {"averge"}) == ""


def test_unlike_name_has_the_list_of_functions() -> None:
    hint = suggest_functions("xyzxyzxyz(a)", UNKNOWN.format("xyzxyzxyz"), ())

    assert hint.startswith("Known functions: abs, aggregate_labels, avg, ")


def test_first_three_functions_have_a_hint() -> None:
    names = ("averge", "summ", "conut", "roundd")

    hint = suggest_functions(" + ".join(f"{name}(a)" for name in names), UNKNOWN.format("averge"), ())

    assert hint == "Did you mean avg? Did you mean sum? Did you mean count?"
