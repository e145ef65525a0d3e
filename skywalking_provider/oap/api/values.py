"""Numbers of the metrics query expression, and its errors."""

import re

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap.api.error_texts import classify_expression_error, is_expression_storage_error

DECIMAL = re.compile(r"-?\d{1,300}(\.\d{1,100})?", re.ASCII)


Number = int | float


def expression_error(subject: str, message: str) -> ProviderError:
    """What MQE's error beside its data means. Its storage's failure comes that way too, with HTTP 200."""
    if is_expression_storage_error(message):
        return BackendUnavailableError(
            f"the storage of the backend is down: {subject}: {message}", kind=FailureKind.STORAGE_DOWN
        )
    return ProviderError(Reason.QUERY_INVALID, f"{subject}: {message}", rejection=classify_expression_error(message))


def parse_mqe_number(text: object, expression: str) -> Number | None:
    """A number as MQE writes it; None where it is absent.

    Raises:
        ProviderError: It is none: "NaN" (0/0), "∞" (x/0), or written with the decimal comma of the OAP's locale.
    """
    if text is None:
        return None
    if isinstance(text, str) and DECIMAL.fullmatch(text):
        return float(text) if "." in text else int(text)
    if isinstance(text, str) and DECIMAL.fullmatch(text.replace(",", ".")):
        raise ProviderError(
            Reason.OAP_RESPONSE_INVALID,
            f"{expression}: OAP writes numbers with a comma ({text}), so that parts of them are lost",
            "start the OAP with -Duser.language=en",
        )
    raise ProviderError(
        Reason.OAP_RESPONSE_INVALID,
        f"{expression}: OAP answered {str(text)[:20]!r}, which is no number",
        "x/0 is ∞, 0/0 is NaN",
    )
