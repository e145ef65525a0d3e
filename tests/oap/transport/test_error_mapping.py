"""HTTP statuses, Retry-After and GraphQL errors as provider errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import (
    BackendUnavailableError,
    FailureKind,
    ProviderError,
    Reason,
    Rejection,
    RejectionKind,
)
from skywalking_provider.model import Deadline
from skywalking_provider.oap import open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.values import expression_error
from skywalking_provider.oap.transport.error_mapping import error_from_graphql, error_from_status, parse_retry_after

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REQUEST = GraphqlRequest("query { metrics: listMetrics { name } }", {})


def now() -> datetime:
    return NOON


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (408, FailureKind.RATE_LIMITED),
        (425, FailureKind.RATE_LIMITED),
        (429, FailureKind.RATE_LIMITED),
        (500, FailureKind.SERVER_ERROR),
        (502, FailureKind.UNAVAILABLE),
        (503, FailureKind.UNAVAILABLE),
        (504, FailureKind.UNAVAILABLE),
        (599, FailureKind.SERVER_ERROR),
    ],
)
def test_status_of_an_unavailable_backend_has_its_kind(status: int, kind: FailureKind) -> None:
    error = error_from_status(status, "prod", 3.0)

    assert isinstance(error, BackendUnavailableError)
    assert error.kind is kind
    assert error.retry_after == (None if kind is FailureKind.SERVER_ERROR else 3.0)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 405, 407, 418])
def test_other_statuses_are_rejections(status: int) -> None:
    error = error_from_status(status, "prod")

    assert type(error) is ProviderError
    assert error.reason is Reason.OAP_REJECTED


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("0", None, 0.0),
        (" 120 ", None, 120.0),
        ("Tue, 24 Nov 2026 12:00:30 GMT", None, 30.0),
        ("Tue, 24 Nov 2026 12:00:30 GMT", "Tue, 24 Nov 2026 12:00:20 GMT", 10.0),
        ("Tue, 24 Nov 2026 11:59:00 GMT", None, 0.0),
        (None, None, None),
        ("", None, None),
        ("-1", None, None),
        ("1.5", None, None),
        ("²", None, None),
        ("9" * 12, None, 999_999_999_999.0),
        ("9" * 400, None, float("inf")),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None, None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", None, None),
        ("Tue, 24 Nov 2026 12:00:30 GMT", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 30.0),
        ("soon", "Tue, 24 Nov 2026 12:00:20 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, date: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, date, now) == seconds


@given(st.text(), st.none() | st.text())
def test_any_retry_after_is_none_or_a_number_of_seconds(value: str, date: str | None) -> None:
    seconds = parse_retry_after(value, date, now)

    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("message", "rejection"),
    [
        ("maximum query complexity exceeded 1100 > 1000", Rejection(RejectionKind.COMPLEXITY, 1000)),
        ("More than 15,000 'grammar' tokens have been presented.", Rejection(RejectionKind.TOKENS)),
        ("Field 'x' in type 'Query' is undefined", None),
    ],
)
def test_graphql_error_carries_the_cause_that_is_acted_on(message: str, rejection: Rejection | None) -> None:
    error = error_from_graphql([{"message": message}], "prod", str)

    assert (error.reason, error.rejection) == (Reason.QUERY_INVALID, rejection)


@pytest.mark.parametrize("digits", ["9" * 10, "9" * 5_000])
def test_graphql_error_with_a_limit_beyond_any_server_is_a_plain_rejection(digits: str) -> None:
    error = error_from_graphql([{"message": f"complexity exceeded 1100 > {digits}"}], "prod", str)

    assert (error.reason, error.rejection) == (Reason.QUERY_INVALID, None)


def fetch_error(text: str, alias: str = "r") -> dict[str, Any]:
    return {
        "message": f"Exception while fetching data (/{alias}) : {text}",
        "extensions": {"classification": "DataFetchingException"},
    }


UNAVAILABLE_STORAGES = [
    # Recorded: PostgreSQL under OAP 10.1.0.
    "org.postgresql.util.PSQLException: FATAL: terminating connection due to administrator command",
    "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out.",
    "HikariDataSource HikariDataSource (HikariPool-1) has been closed.",
    "org.postgresql.util.PSQLException: Connection to pg:5432 refused. Check that the hostname and port are correct",
    "org.postgresql.util.PSQLException: An I/O error occurred while sending to the backend.",
    "ERROR: canceling statement due to statement timeout",
    "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure",
    'java.sql.SQLNonTransientConnectionException: Data source rejected establishment, "Too many connections"',
    "com.mysql.cj.jdbc.exceptions.MySQLQueryInterruptedException: Query execution was interrupted",
    "Region is unavailable",
    'org.h2.jdbc.JdbcSQLNonTransientConnectionException: Connection is broken: "session closed" [90067-212]',
    'org.h2.jdbc.JdbcSQLTimeoutException: Timeout trying to lock table "X" [50200-212]',
    "org.h2.jdbc.JdbcSQLNonTransientException: General error [50000-212]",
    'RuntimeException: {"error":{"root_cause":[{"type":"illegal_argument_exception"}],"reason":"x"},"status":503}',
    'java.lang.RuntimeException: {"error":{"type":"circuit_breaking_exception"},"status":429}',
    "Elasticsearch exception [type=circuit_breaking_exception, reason=[parent] Data too large]",
    "Elasticsearch exception [type=search_phase_execution_exception, reason=all shards failed]",
    "listener timeout after waiting for [30000] ms",
    "com.linecorp.armeria.client.UnprocessedRequestException: java.net.ConnectException",
    "fail to query measure",
    "org.apache.skywalking.banyandb.v1.client.grpc.exception.BanyanDBException: UNAVAILABLE: io exception",
    "io.grpc.StatusRuntimeException: DEADLINE_EXCEEDED: deadline exceeded after 29.9s",
]


@pytest.mark.parametrize("text", UNAVAILABLE_STORAGES)
def test_graphql_error_of_an_unavailable_storage_is_an_outage(text: str) -> None:
    failed = error_from_graphql([fetch_error(text)], "prod", str)

    assert isinstance(failed, BackendUnavailableError)
    assert failed.kind is FailureKind.STORAGE_DOWN


REJECTING_STORAGES = [
    # Recorded: H2 under OAP 10.1.0, a labeled metric that is read as a number.
    'org.h2.jdbc.JdbcSQLDataException: Data conversion error converting "{p=50},180|{p=95},1200" [22018-212]',
    'org.h2.jdbc.JdbcSQLSyntaxErrorException: Column "VALUE_" not found; SQL statement: select [42122-212]',
    'Table "SERVICE_X_20261130" not found; SQL statement: select [42102-212]',
    'org.postgresql.util.PSQLException: ERROR: column "value_" does not exist\n  Position: 8',
    'ERROR: relation "service_x_20261130" does not exist',
    "org.postgresql.util.PSQLException: Bad value for type long : {p=50},180|{p=95},1200",
    'ERROR: invalid input syntax for type bigint: "timed out"',
    "java.sql.SQLDataException: Cannot determine value type from string '{p=50},180'",
    "java.sql.SQLSyntaxErrorException: Unknown column 'value_' in 'field list'",
    "Table 'swtest.service_x_20261130' doesn't exist",
    'java.lang.RuntimeException: {"error":{"root_cause":[{"type":"parsing_exception"}]},"status":400}',
    'java.lang.RuntimeException: {"error":{"type":"index_not_found_exception"}',
    "class java.lang.String cannot be cast to class java.lang.Number",
    "field is not registered",
    "io.grpc.StatusRuntimeException: INVALID_ARGUMENT: measure timed out is invalid",
    "BanyanDBException: NOT_FOUND: measure service_x",
]


@pytest.mark.parametrize("text", REJECTING_STORAGES)
def test_graphql_error_of_a_read_that_the_storage_rejects_is_query_invalid(text: str) -> None:
    error = error_from_graphql([fetch_error(text)], "prod", str)

    assert (type(error), error.reason) == (ProviderError, Reason.QUERY_INVALID)


@pytest.mark.parametrize("alias", ["HikariPool", "UNAVAILABLE", "Connection_reset"])
def test_alias_of_a_read_does_not_make_its_error_an_outage(alias: str) -> None:
    error = error_from_graphql([fetch_error("null", alias)], "prod", str)

    assert (type(error), error.reason) == (ProviderError, Reason.QUERY_INVALID)


def test_expression_error_carries_the_cause_that_is_acted_on() -> None:
    unknown = expression_error("service_cmp", "the metric: service_cmp dose not exist")
    storage = expression_error("service_cpm", "Internal IO exception, query metrics error.")

    assert unknown.rejection == Rejection(RejectionKind.METRIC_NOT_FOUND)
    assert isinstance(storage, BackendUnavailableError)
    assert storage.kind is FailureKind.STORAGE_DOWN


@asynccontextmanager
async def serve(*responses: web.Response) -> AsyncIterator[tuple[str, list[float]]]:
    """Serve these responses one after the other; yield the URL and the list of requests."""
    requests: list[float] = []

    async def respond(_: web.Request) -> web.Response:
        requests.append(0.0)
        return responses[len(requests) - 1]

    app = web.Application()
    app.router.add_post("/graphql", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", requests
    finally:
        await runner.cleanup()


def limited(status: int, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, headers=headers)


async def read(url: str, seconds: float) -> dict[str, Any]:
    config = BackendConfig.model_validate({"url": url, "retries": 1, "timeout": "50s"})
    async with open_backends({"prod": config}, lambda: datetime.now(UTC)) as backends:
        return await backends.select(None, None, "team").read(REQUEST, Deadline.after(seconds))


@pytest.mark.parametrize("status", [408, 425, 429, 503])
async def test_response_with_retry_after_is_retried_within_the_deadline(status: int) -> None:
    async with serve(limited(status, {"Retry-After": "0"}), web.json_response({"data": {"metrics": []}})) as (
        url,
        sent,
    ):
        assert await read(url, 60) == {"metrics": []}

    assert len(sent) == 2


async def test_retry_after_as_a_date_is_relative_to_the_date_of_the_response() -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    headers = {"Retry-After": format_datetime(past, usegmt=True), "Date": format_datetime(past, usegmt=True)}
    async with serve(limited(429, headers), web.json_response({"data": {"metrics": []}})) as (url, sent):
        assert await read(url, 60) == {"metrics": []}

    assert len(sent) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Retry-After": "61"},
        {"Retry-After": "9" * 20},
        {"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
    ],
)
async def test_rate_limit_without_a_retry_that_fits_the_deadline_is_not_retried(headers: dict[str, str]) -> None:
    async with serve(limited(429, headers)) as (url, sent):
        with pytest.raises(BackendUnavailableError, match="429") as error:
            await read(url, 60)

    assert error.value.kind is FailureKind.RATE_LIMITED
    assert len(sent) == 1


async def test_unavailable_backend_with_a_huge_retry_after_is_not_retried() -> None:
    async with serve(limited(503, {"Retry-After": "9" * 20})) as (url, sent):
        with pytest.raises(BackendUnavailableError, match="503"):
            await read(url, 60)

    assert len(sent) == 1


async def test_unavailable_backend_with_an_invalid_retry_after_is_retried_after_the_backoff() -> None:
    headers = {"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}
    async with serve(limited(503, headers), web.json_response({"data": {"metrics": []}})) as (url, sent):
        assert await read(url, 60) == {"metrics": []}

    assert len(sent) == 2
