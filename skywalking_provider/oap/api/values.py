"""Numbers and errors of metrics query expressions (MQE)."""

import re

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap.api.error_texts import (
    classify_expression_error,
    cut_error_text,
    is_expression_storage_error,
)

DECIMAL = re.compile(r"-?\d{1,300}(\.\d{1,100})?", re.ASCII)


Number = int | float


def expression_error(subject: str, message: str) -> ProviderError:
    """Return the provider error for the `error` field of an expression's result.

    Args:
        subject: The expression, or the alias of the field.
        message: OAP's error text.
    """
    message = cut_error_text(message)
    if is_expression_storage_error(message):
        return BackendUnavailableError(
            f"storage of the OAP failed: {subject}: {message}", kind=FailureKind.STORAGE_DOWN
        )
    return ProviderError(Reason.QUERY_INVALID, f"{subject}: {message}", rejection=classify_expression_error(message))


def parse_mqe_number(text: object, expression: str) -> Number | None:
    """Parse a number as MQE writes it; None if it is absent.

    Raises:
        ProviderError: It is not a number: "NaN" (0/0), "∞" (x/0), or has the decimal comma of the OAP's locale.
    """
    if text is None:
        return None
    if isinstance(text, str) and DECIMAL.fullmatch(text):
        return float(text) if "." in text else int(text)
    if isinstance(text, str) and DECIMAL.fullmatch(text.replace(",", ".")):
        raise ProviderError(
            Reason.OAP_RESPONSE_INVALID,
            f"{expression}: OAP writes numbers with a decimal comma ({text}), which loses digits",
            "Start the OAP with -Duser.language=en",
        )
    raise ProviderError(
        Reason.OAP_RESPONSE_INVALID,
        f"{expression}: OAP returned {str(text)[:20]!r}, which is not a number",
        "Avoid division by zero: x/0 is ∞, 0/0 is NaN",
    )
