"""TTL of the metrics that an OAP reports."""

from datetime import timedelta

import pytest

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.data_ttl import parse_metrics_ttl


@pytest.mark.parametrize(
    ("ttl", "expected"),
    [
        ({"minute": 7}, timedelta(days=7)),
        ({"minute": 0}, None),
        ({"minute": -1}, None),
        ({"minute": 2**62}, None),
        (None, None),
    ],
)
def test_ttl_is_that_of_minutes(ttl: object, expected: timedelta | None) -> None:
    assert parse_metrics_ttl({"ttl": ttl}) == expected


@pytest.mark.parametrize("ttl", [{}, {"minute": "7"}, {"minute": 7.5}, [], "7"])
def test_ttl_of_another_form_is_an_invalid_response(ttl: object) -> None:
    with pytest.raises(ProviderError) as raised:
        parse_metrics_ttl({"ttl": ttl})

    assert raised.value.reason is Reason.OAP_RESPONSE_INVALID
