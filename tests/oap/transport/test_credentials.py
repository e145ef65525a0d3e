"""Credentials: which of a backend's headers are redacted in the data of a response."""

from typing import Any

import pytest

from skywalking_provider.config import BackendConfig
from skywalking_provider.oap.transport.credentials import Credentials


@pytest.mark.parametrize(
    ("config", "name", "kept"),
    [
        ({"headers": {"X-Scope-OrgID": "bookinfo-prod"}}, "reviews.bookinfo-prod", True),
        ({"headers": {"X-Api-Key": "bookinfo-prod-7731"}}, "reviews.bookinfo-prod-7731", False),
        ({"headers": {"Authorization": "Token bookinfo-prod"}}, "reviews.bookinfo-prod", False),
        ({"basic": {"username": "u", "password": "bookinfo-prod"}}, "reviews.bookinfo-prod", False),
        ({"bearer": {"token": "bookinfo-prod"}}, "reviews.bookinfo-prod", False),
    ],
)
def test_only_a_header_that_is_a_name_stays_in_data(config: dict[str, Any], name: str, kept: bool) -> None:
    credentials = Credentials(BackendConfig.model_validate({"url": "http://oap", **config}))
    credentials.headers()
    data = {"name": name}

    if credentials.redactor.is_in_response(f'{{"name":"{name}"}}'.encode()):
        credentials.redactor.redact_data(data)

    assert (data == {"name": name}) is kept
    assert "bookinfo" not in credentials.redactor(name)


@pytest.mark.parametrize(
    ("value", "kept"), [("eu-west-1", True), ("team_blue.prod-12", True), ("s3cr3t-passw0rd", False)]
)
def test_header_that_is_a_name_stays_in_data(value: str, kept: bool) -> None:
    credentials = Credentials(BackendConfig(url="http://oap:12800", headers={"X-Tenant": value}))
    data = {"name": f"checkout.{value}.svc"}

    credentials.redactor.redact_data(data)

    assert data == {"name": f"checkout.{value if kept else '********'}.svc"}
    assert credentials.redact(value) == "********"
