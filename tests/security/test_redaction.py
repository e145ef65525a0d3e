"""Redaction: credentials repeated by an OAP or a proxy never appear in values, messages, metadata, logs or pages."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from skywalking_provider.config import BackendConfig, Config
from skywalking_provider.config.root import LogConfig
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.model import Secret
from skywalking_provider.oap.transport.credentials import redactor_for
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.lifecycle import open_server
from skywalking_provider.server.logging import configure_logging
from skywalking_provider.support.redaction import MIN_SECRET_LENGTH, Redactor
from skywalking_provider.telemetry import tracing
from tests.security.credential_echo_server import (
    ENCODINGS,
    QUOTED_RESPONSES,
    RESPONSES,
    CredentialEchoServer,
    start_echo_server,
)

PLANTED = 'pl4nted "Pass\\word/ü+%='
PARTS = ("pl4nted", "Pass\\word", "cGw0bnRlZC")  # the last is the start of the first in base64
CREDENTIALS: dict[str, dict[str, Any]] = {
    "password and header": {
        "basic": {"username": "argo", "password": PLANTED},
        "headers": {"X-Api-Key": "pl4nted-key"},
    },
    "password of a file": {"basic": {"username": "argo", "passwordFile": "FILE"}},
    "token of a file": {"bearer": {"tokenFile": "FILE"}},
    "authorization header": {"headers": {"Authorization": "Basic cGw0bnRlZDpwbDRudGVk"}},
}
QUERY = """query q($duration: Duration!) { apdex: readMetricsValues(
  condition: {name: "service_apdex", entity: {scope: Service, serviceName: "a", normal: true}}, duration: $duration)
  { label values { values { value } } } }"""
BLOCKS: dict[str, dict[str, Any]] = {
    "query": {"query": QUERY, "interval": "3m"},
    "query in Argo's window": {"query": QUERY, "interval": "3m", "compatibility": "argo"},
    "sli": {"sli": "success-rate", "service": "reviews", "window": "5m", "since": "window", "maxWait": "0s"},
    "expression": {"expression": "avg(a)", "service": "reviews", "window": "5m", "since": "window", "maxWait": "0s"},
}


Log = Callable[[], str]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Log]:
    """Yield a function that returns the output on standard error, logged at level debug."""
    before = logging.root.handlers[:], logging.root.level
    yield lambda: capsys.readouterr().err
    structlog.reset_defaults()
    logging.root.handlers[:], level = before
    logging.root.setLevel(level)


@asynccontextmanager
async def serving(
    backend: dict[str, Any], folder: Path
) -> AsyncIterator[tuple[CredentialEchoServer, rpc.MetricProviderStub, dict[str, str]]]:
    async with AsyncExitStack() as stack:
        oap = await stack.enter_async_context(start_echo_server())
        (folder / "secret").write_text(PLANTED if "basic" in backend else "pl4nted.Pass-word_ey==\n", encoding="utf-8")
        keys = json.loads(json.dumps(backend).replace("FILE", str(folder / "secret")))
        plain = {"url": oap.url, "cache": {"responseTtl": "0s", "verdictTtl": "0s"}, "clockTtl": "0s", "timeout": "2s"}
        plain |= {
            "retries": 0,
            "circuit": {"failures": 1000},
        }  # the circuit breaker stays closed, so every response is decoded
        listeners = {"http": {"listen": "127.0.0.1:0"}, "page": {"listen": "127.0.0.1:0"}}
        config = Config.model_validate({"backends": {"prod": plain | keys}} | listeners)
        log_as("json", config.backends["prod"])
        server = await stack.enter_async_context(open_server(config, Endpoint(folder / "p.sock", None)))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"unix:{folder / 'p.sock'}"))
        yield oap, rpc.MetricProviderStub(channel), server.addresses


def log_as(style: Any, backend: BackendConfig) -> None:
    configure_logging(LogConfig(level="debug", format=style), redactor_for([backend]))
    structlog.configure(cache_logger_on_first_use=False)  # a cached logger would affect later tests


def visible_text(measurement: pb.Measurement) -> str:
    return "\n".join((measurement.message, measurement.value, *measurement.metadata.values()))


def assert_clean(text: str, context: str) -> None:
    for part in PARTS:
        assert part not in text, f"{context}: {text}"


@pytest.mark.parametrize("kind", CREDENTIALS)
async def test_credentials_repeated_by_an_oap_are_redacted_everywhere(kind: str, tmp_path: Path, log: Log) -> None:
    redacted = 0
    async with (
        serving(CREDENTIALS[kind], tmp_path) as (oap, stub, addresses),
        aiohttp.ClientSession() as browser,
    ):
        for response in RESPONSES:
            for encoding in ENCODINGS if response in QUOTED_RESPONSES else ("as it is",):
                for query_type, block in BLOCKS.items():
                    oap.response, oap.encoding = response, encoding
                    oap.regular_queries = () if response == "a clock" else ("getTimeInfo", "__type")
                    metric = pb.Metric(name="apdex", block=json.dumps(block).encode())
                    measurement = await stub.Run(pb.RunRequest(metric=metric), timeout=10)
                    metadata = await stub.GetMetadata(pb.GetMetadataRequest(metric=metric), timeout=30)
                    assert_clean(visible_text(measurement), f"{response}, {encoding}, {query_type}")
                    assert_clean(str(metadata), f"{response}, {encoding}, {query_type}")
                    redacted += "********" in visible_text(measurement)
            for address in (f"http://{addresses['page']}/?all=1", f"http://{addresses['http']}/metrics"):
                async with browser.get(address) as shown:
                    assert shown.status == 200
                    assert_clean(await shown.text(), f"{response}, {address}")
    written = log()
    assert_clean(written, "log")
    assert written.count('"measurement completed"') > 100
    assert redacted > 50  # the credentials did arrive


@pytest.mark.parametrize("fault", ["connection refused", "hangs", "resets", "is not HTTP", "TLS without a TLS server"])
async def test_connection_error_contains_no_credentials(fault: str, tmp_path: Path, log: Log) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        sent = await reader.read(4096)
        if fault == "hangs":
            await reader.read()
        if fault == "is not HTTP":
            writer.write(b"HTTP/1.1 200 " + sent + b"\r\n" + sent + b"\r\n\r\n")
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    handlers: list[Any] = []

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        if fault == "connection refused":
            server.close()
        url = f"{'https' if fault.startswith('TLS') else 'http'}://127.0.0.1:{port}"
        backend = CREDENTIALS["password and header"] | {"url": url, "timeout": "200ms"}
        async with serving(backend, tmp_path) as (_, stub, _addresses):
            metric = pb.Metric(name="apdex", block=json.dumps(BLOCKS["query"]).encode())
            measurement = await stub.Run(pb.RunRequest(metric=metric), timeout=10)
        await asyncio.gather(*handlers)

    assert measurement.phase == pb.PHASE_RUNNING
    assert measurement.message.startswith("OAP_UNAVAILABLE")
    assert_clean(visible_text(measurement), fault)
    assert_clean(log(), fault)


async def test_trace_has_the_error_type_without_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = await reader.readuntil(b"\r\n\r\n")
        _, headers = sent.split(b"\r\n", 1)
        writer.write(
            b"HTTP/1.1 200 OK\r\n" + headers.replace(b"Authorization", b"Author ization")
        )  # no name of a header
        await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    spans = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "_build_exporter", lambda: spans)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    async with await asyncio.start_server(repeat, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with serving({"bearer": {"token": "pl4nted-token"}, "url": url}, tmp_path) as (_, stub, _addresses):
            await stub.Run(pb.RunRequest(metric=pb.Metric(block=json.dumps(BLOCKS["query"]).encode())), timeout=10)

    text = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "exception.type" in text
    assert_clean(text, "trace")


async def test_rotated_token_is_redacted_after_rotation(tmp_path: Path) -> None:
    backend = BackendConfig.model_validate({"url": "http://oap", "bearer": {"tokenFile": str(tmp_path / "token")}})
    redact = redactor_for([backend])
    for version in range(3):
        (tmp_path / "token").write_text(f"token-number-{version}")
        redact("")

    assert redact("token-number-0 token-number-1 token-number-2") == "******** ******** ********"


async def test_exception_is_logged_with_traceback_without_credentials(log: Log) -> None:
    backend = BackendConfig.model_validate({"url": "http://oap", "bearer": {"token": "pl4nted.Pass-word_ey=="}})
    for style in ("json", "console"):
        log_as(style, backend)
        for logger in (structlog.get_logger(), logging.getLogger("grpc")):
            try:
                json.loads("{", parse_constant={}["pl4nted.Pass-word_ey=="])
            except KeyError:
                logger.exception("measurement failed pl4nted.Pass-word_ey==")

    written = log()
    assert_clean(written, "log")
    assert written.count("KeyError") >= 4


printable = (
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=MIN_SECRET_LENGTH, max_size=40)
    .map(str.strip)
    .filter(lambda text: len(text) >= MIN_SECRET_LENGTH)
)
surrounding = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
no_escape = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\\%&"), max_size=60)
"""Text that cannot be the start of an escape: a secret directly behind an incomplete escape is a documented limit."""


@settings(deadline=None)
@given(secret=printable, before=no_escape, after=surrounding, encoding=st.sampled_from(sorted(ENCODINGS)))
def test_redactor_removes_every_encoding_of_a_secret(secret: str, before: str, after: str, encoding: str) -> None:
    encoded = ENCODINGS[encoding](secret)

    redacted = Redactor(Secret(secret))(before + encoded + after)

    if len(encoded.strip()) >= MIN_SECRET_LENGTH and encoded.strip() not in "********":
        assert encoded not in redacted


AWKWARD = Redactor(Secret("1000"), Secret('", "'), Secret("true"), Secret("0000"))


@settings(deadline=None)
@given(st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_redacted_json_is_valid_json(value: Any) -> None:
    json.loads(AWKWARD.redact_json_text(json.dumps(value)))
