"""Addresses in templates select a configured backend, and only that backend is connected to.

Each address passes through the whole engine to a real HTTP server. Python's audit events report every connection and
every name lookup of the process.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.config import BackendConfig
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import open_backends
from tests.security.connection_audit import audit_connections

QUERY = """query q($duration: Duration!) { apdex: readMetricsValues(
  condition: {name: "service_apdex", entity: {scope: Service, serviceName: "a", normal: true}}, duration: $duration)
  { label values { values { value } } } }"""

# BACKEND and TRAP stand for host:port of the backend and of a listener that must never receive anything.
SELECTS = {
    "as configured": "http://BACKEND",
    "a slash": "http://BACKEND/",
    "slashes": "http://BACKEND///",
    "with /graphql": "http://BACKEND/graphql",
    "scheme in capitals": "HTTP://BACKEND",
    "blanks around": "  http://BACKEND\t",
    "an alias": "http://oap.istio-system:12800",
    "an alias in capitals": "http://OAP.Istio-System:12800/graphql",
    "an alias and its default port": "https://skywalking.example.org:443",
    "an alias without its default port": "https://skywalking.example.org",
}

REJECTED = {
    # -- another address, plainly
    "another host": "http://TRAP",
    "another port of the same host": "http://127.0.0.1:1",
    "no port": "http://127.0.0.1",
    "another scheme of the same host": "https://BACKEND",
    "cloud metadata": "http://169.254.169.254/latest/meta-data",
    "cloud metadata by name": "http://metadata.google.internal/computeMetadata/v1",
    "the Kubernetes API": "https://kubernetes.default.svc",
    "any address": "http://0.0.0.0:12800",
    # -- other forms of the same IPv4
    "decimal": "http://2130706433:PORT",
    "hexadecimal": "http://0x7f000001:PORT",
    "octal": "http://0177.0.0.1:PORT",
    "octal parts": "http://0177.0000.0000.0001:PORT",
    "hexadecimal parts": "http://0x7f.0x0.0x0.0x1:PORT",
    "short": "http://127.1:PORT",
    "zero": "http://0:PORT",
    "leading zeros": "http://127.000.000.001:PORT",
    "another loopback": "http://127.0.0.2:PORT",
    "full-width digits": "http://\uff11\uff12\uff17.0.0.1:PORT",
    "circled digits": "http://\u2460\u2461\u2466.0.0.1:PORT",
    "ideographic dots": "http://127\u30020\u30020\u30021:PORT",
    # -- IPv6
    "loopback of IPv6": "http://[::1]:PORT",
    "IPv4 mapped into IPv6": "http://[::ffff:127.0.0.1]:PORT",
    "IPv4 mapped, hexadecimal": "http://[::ffff:7f00:1]:PORT",
    "IPv4 compatible": "http://[::127.0.0.1]:PORT",
    "NAT64": "http://[64:ff9b::7f00:1]:PORT",
    "link-local with a zone": "http://[fe80::1%25lo]:PORT",
    "IPv6 of the cloud's metadata": "http://[fd00:ec2::254]/latest",
    "brackets without end": "http://[::1:PORT",
    # -- names
    "localhost": "http://localhost:PORT",
    "a name for loopback": "http://127.0.0.1.nip.io:PORT",
    "a trailing dot": "http://127.0.0.1.:PORT",
    "an alias and a trailing dot": "http://oap.istio-system.:12800",
    "an alias and a longer domain": "http://oap.istio-system.example.org:12800",
    "an alias as the end of a name": "http://evil-oap.istio-system:12800",
    "an alias with a percent sign": "http://%6fap.istio-system:12800",
    "an alias with an encoded dot": "http://oap%2eistio-system:12800",
    "a Cyrillic letter": "http://\u043eap.istio-system:12800",
    "full-width letters": "http://\uff4fap.istio-system:12800",
    "a soft hyphen": "http://o\u00adap.istio-system:12800",
    "a zero-width blank": "http://oap\u200b.istio-system:12800",
    "punycode": "http://xn--ap-fmc.istio-system:12800",
    "an empty label": "http://oap..istio-system:12800",
    "a blank in the host": "http://oap .istio-system:12800",
    # -- userinfo
    "the backend as user": "http://BACKEND@TRAP",
    "a user": "http://user@BACKEND",
    "user and password": "http://user:password@BACKEND",
    "the backend as password": "http://user:BACKEND@TRAP",
    "an encoded at": "http://BACKEND%40TRAP",
    "a full-width at": "http://BACKEND\uff20TRAP",
    "two ats": "http://a@BACKEND@TRAP",
    # -- the rest of a URL
    "a query": "http://BACKEND?x=1",
    "an empty query": "http://BACKEND/?",
    "a fragment": "http://BACKEND#@TRAP",
    "an encoded fragment": "http://BACKEND%23.example.org",
    "another path": "http://BACKEND/admin",
    "a path up": "http://BACKEND/graphql/../admin",
    "an encoded path up": "http://BACKEND/%2e%2e/admin",
    "the trap as path": "http://BACKEND/http://TRAP",
    "a doubled path": "http://BACKEND/graphql/graphql",
    "path parameters": "http://BACKEND/;TRAP",
    "a doubled port": "http://BACKEND:80",
    "an empty port": "http://127.0.0.1:",
    "a port too large": "http://127.0.0.1:99999",
    "a port that wraps around": "http://127.0.0.1:WRAPPED",
    "a negative port": "http://127.0.0.1:-1",
    "a port in full-width digits": "http://127.0.0.1:\uff18\uff10",
    # -- backslashes, controls and blanks
    "a backslash": "http://TRAP\\@BACKEND",
    "a backslash path": "http://BACKEND\\.example.org",
    "backslashes for slashes": "http:\\\\TRAP",
    "a line end": "http://BACKEND\r\nHost: TRAP",
    "an encoded line end": "http://BACKEND%0d%0aHost:%20TRAP",
    "a tab in the host": "http://127.0.0\t.1:1",
    "a zero byte": "http://BACKEND\x00.example.org",
    "a tab in the scheme": "ht\ttp://TRAP",
    # -- schemes
    "no scheme": "TRAP",
    "no scheme, two slashes": "//TRAP",
    "one slash": "http:/TRAP",
    "three slashes": "http:///TRAP",
    "file": "file:///etc/passwd",
    "gopher": "gopher://TRAP/_POST",
    "ftp": "ftp://TRAP",
    "ws": "ws://BACKEND",
    "unix": "unix:///run/skywalking/provider.sock",
    "http over unix": "http+unix://%2Frun%2Fdocker.sock",
    "data": "data:application/json,{}",
    "javascript": "javascript:alert(1)",
    "a scheme in a scheme": "http:http://TRAP",
    "jar": "jar:http://TRAP!/",
    # -- no address at all
    "empty": "",
    "blanks": "   ",
    "a name of a backend": "prod",
    "an environment variable": "http://$SW_OAP_ADDRESS",
    "a template left over": "http://{{args.oap}}:12800",
    "two addresses": "http://BACKEND,http://TRAP",
    "very long": "http://" + "a." * 40_000 + "example.org",
}

REDIRECTS = {
    "absolute": "http://TRAP/graphql",
    "without a scheme": "//TRAP/graphql",
    "to another path of the backend": "/admin",
    "to a file": "file:///etc/passwd",
    "with userinfo": "http://user:password@TRAP/",
    "to the cloud's metadata": "http://169.254.169.254/",
}


@dataclass
class Setup:
    """An engine with one backend, and a listener that must get no connection."""

    engine: Engine
    oap: MockOap
    trap: str
    received: list[bytes]

    @property
    def backend(self) -> tuple[str, int]:
        host, _, port = self.oap.address.removeprefix("http://").rpartition(":")
        return host, int(port)

    def filled(self, address: str) -> str:
        host, port = self.backend
        return (
            address.replace("BACKEND", f"{host}:{port}")
            .replace("TRAP", self.trap)
            .replace("PORT", str(port))
            .replace("WRAPPED", str(port + 65536))
        )

    async def run(self, **block: Any) -> Measurement:
        content = {"interval": "3m", "query": QUERY} | block
        metric = Metric("apdex", "", "", json.dumps(content).encode())
        return await self.engine.run(metric, Run(namespace="team-a"), Deadline.after(30))


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    received: list[bytes] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(1024))
        writer.close()

    async with AsyncExitStack() as stack:
        trap = await stack.enter_async_context(await asyncio.start_server(receive, "127.0.0.1", 0))
        oap = await stack.enter_async_context(MockOap("healthy-canary"))
        config = BackendConfig.model_validate(
            {
                "url": oap.address,
                "aliases": ["http://oap.istio-system:12800", "https://skywalking.example.org"],
                "cache": {"responseTtl": "0s", "verdictTtl": "0s"},
                "clockTtl": "0s",
            }
        )
        backends = await stack.enter_async_context(open_backends({"prod": config}, lambda: datetime.now(UTC)))
        languages = await stack.enter_async_context(open_condition_evaluator())
        port = trap.sockets[0].getsockname()[1]
        yield Setup(Engine(backends, languages), oap, f"127.0.0.1:{port}", received)


def test_at_least_sixty_addresses_are_tried() -> None:
    assert len(REJECTED) + len(REDIRECTS) * 5 >= 60


async def test_selecting_address_connects_only_to_the_backend(setup: Setup) -> None:
    for case, address in SELECTS.items():
        with audit_connections() as outgoing:
            measurement = await setup.run(address=setup.filled(address))

        assert "BACKEND_NOT_FOUND" not in measurement.message, case
        assert "BLOCK_INVALID" not in measurement.message, case
        assert set(outgoing.connections) <= {setup.backend}, case
        assert set(outgoing.hostnames) <= {setup.backend[0]}, case
    assert len(setup.oap.requests) >= len(SELECTS)


@pytest.mark.parametrize("case", REJECTED)
async def test_other_address_is_rejected_without_a_connection(setup: Setup, case: str) -> None:
    with audit_connections() as outgoing:
        measurement = await setup.run(address=setup.filled(REJECTED[case]))
        named = await setup.run(address=setup.filled(REJECTED[case]), backend="prod")

    for one in (measurement, named):
        assert one.phase is Phase.ERROR
        assert one.message.startswith(("BACKEND_NOT_FOUND ", "BLOCK_INVALID ")), one.message
        assert len(one.message) <= 1024
    assert (outgoing.connections, outgoing.hostnames) == ([], [])
    assert setup.oap.requests == []
    assert setup.received == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", REDIRECTS)
async def test_redirect_is_not_followed(setup: Setup, kind: str, status: int) -> None:
    setup.oap.add_fault("redirect", location=setup.filled(REDIRECTS[kind]), status=status)

    with audit_connections() as outgoing:
        measurement = await setup.run()

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith("OAP_REJECTED backend prod responded 30")
    assert "redirects are not followed" in measurement.message
    assert setup.trap not in measurement.message
    assert set(outgoing.connections) == {setup.backend}
    assert setup.received == []
    assert {request.path for request in setup.oap.requests} == {"/graphql"}


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
async def test_proxy_variables_are_ignored(setup: Setup, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, f"http://{setup.trap}")

    with audit_connections() as outgoing:
        await setup.run()

    assert set(outgoing.connections) == {setup.backend}
    assert setup.received == []


@pytest.mark.parametrize(
    "key", [{"backend": "http://TRAP"}, {"backend": "../prod"}, {"service": "http://TRAP"}, {"url": "http://TRAP"}]
)
async def test_other_keys_of_a_block_are_not_addresses(setup: Setup, key: dict[str, str]) -> None:
    with audit_connections() as outgoing:
        measurement = await setup.run(**{name: setup.filled(text) for name, text in key.items()})

    assert measurement.phase is Phase.ERROR
    assert outgoing.connections == []


async def test_addresses_in_a_query_are_not_connected_to(setup: Setup) -> None:
    with audit_connections() as outgoing:
        await setup.run(query=QUERY.replace('serviceName: "a"', f'serviceName: "http://{setup.trap}/x"'))

    assert set(outgoing.connections) == {setup.backend}
    assert setup.received == []
