"""Numbers and errors of metrics query expressions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason, RejectionKind
from skywalking_provider.oap.api.error_texts import MAX_ERROR_CHARACTERS
from skywalking_provider.oap.api.values import expression_error, parse_mqe_number


@given(st.integers(-(10**299), 10**299))
def test_whole_number_is_parsed_exactly(number: int) -> None:
    parsed = parse_mqe_number(str(number), "e")

    assert (parsed, type(parsed)) == (number, int)


@given(st.floats(-1e15, 1e15))
def test_fraction_is_parsed_as_a_float(number: float) -> None:
    parsed = parse_mqe_number(f"{number:.30f}", "e")

    assert (parsed, type(parsed)) == (float(f"{number:.30f}"), float)


def test_absent_number_is_none() -> None:
    assert parse_mqe_number(None, "e") is None


def error_of(text: object) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        parse_mqe_number(text, "avg(x)")
    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
    return caught.value


@pytest.mark.parametrize("text", ["8,571", "-0,5"])
def test_decimal_comma_is_an_error_with_the_language_option(text: str) -> None:
    assert str(error_of(text)) == (
        f"avg(x): OAP writes numbers with a decimal comma ({text}), which loses digits."
        " Start the OAP with -Duser.language=en"
    )


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("NaN", "NaN"),
        ("∞", "∞"),
        ("", ""),
        ("1.", "1."),
        (".5", ".5"),
        ("1e5", "1e5"),
        ("1,000,000", "1,000,000"),
        ("٣", "٣"),
        ("1\n", "1\n"),
        ("x" * 21, "x" * 20),
        (12, "12"),
        (True, "True"),
        ("1" * 301, "1" * 20),
    ],
)
def test_other_text_is_an_error_that_quotes_its_beginning(text: object, quoted: str) -> None:
    assert str(error_of(text)) == (
        f"avg(x): OAP returned {quoted!r}, which is not a number. Avoid division by zero: x/0 is ∞, 0/0 is NaN"
    )


def test_error_of_an_expression_is_an_invalid_query() -> None:
    error = expression_error("avg(x)", "Metric: [x] does not exist.")

    assert not isinstance(error, BackendUnavailableError)
    assert (error.reason, str(error)) == (Reason.QUERY_INVALID, "avg(x): Metric: [x] does not exist.")
    assert error.rejection is not None
    assert error.rejection.kind is RejectionKind.METRIC_NOT_FOUND
    assert expression_error("avg(x)", "mismatched input").rejection is None


def test_error_of_the_storage_is_an_unavailable_backend() -> None:
    error = expression_error("avg(x)", "Internal IO exception, query metrics error.")

    assert isinstance(error, BackendUnavailableError)
    assert error.kind is FailureKind.STORAGE_DOWN
    assert str(error) == "storage of the OAP failed: avg(x): Internal IO exception, query metrics error."


def test_error_text_of_an_expression_is_cut() -> None:
    assert str(expression_error("e", "y" * (MAX_ERROR_CHARACTERS + 1))) == f"e: {'y' * MAX_ERROR_CHARACTERS}"
