"""The mock OAP: a real HTTP server in the process, with its own clock, a scenario and faults."""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from skywalking_provider.mock_oap.clock import MockClock, parse_zone, utc_now
from skywalking_provider.mock_oap.faults import Fault, FaultError, FaultKind, Faults
from skywalking_provider.mock_oap.graphql_executor import Executor
from skywalking_provider.mock_oap.http_handler import PATH, HttpHandler, RecordedRequest
from skywalking_provider.mock_oap.scenario import Scenario, load_scenario
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.versions import select_version

_MAX_BODY = 16 * 1024 * 1024
_MAX_RECORDED = 10_000


class MockOap:
    """An Apache SkyWalking OAP that lives in this process.

    Use it as `async with MockOap("healthy-canary") as oap: ... oap.url`. Any other path of the server than
    `/graphql` and `/mock/...` answers 404, as the real one does.
    """

    def __init__(
        self,
        scenario: str | Path | Scenario = "healthy-canary",
        *,
        version: str = "10.1.0",
        timezone: str | tzinfo = "+0000",
        clock: Callable[[], datetime] = utc_now,
        speed: float = 1.0,
        faults: Iterable[Fault] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        max_complexity: int | None = None,
        decimal_comma: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        self.oap_version = select_version(version)
        self.clock = MockClock(clock, parse_zone(timezone) if isinstance(timezone, str) else timezone, speed)
        self.store = Store(self.scenario, self.clock)
        self.requests: list[RecordedRequest] = []
        """What came in, oldest first (requests to /mock excepted)."""
        self.faults = Faults(faults)
        self._host, self._port, self._tls = host, port, tls
        self._executor = Executor(
            self.store, self.oap_version, max_complexity=max_complexity, decimal_comma=decimal_comma
        )
        self._closing = asyncio.Event()
        self._handler = HttpHandler(self._executor, self.faults, self._closing)
        self._runner: web.AppRunner | None = None

    # -- life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. OSError if the address cannot be had."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_get("/mock/faults", self._show_faults)
        app.router.add_post("/mock/faults", self._handle_add_fault)
        app.router.add_delete("/mock/faults", self._clear_faults)
        app.router.add_get("/mock/requests", self._show_requests)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and end the requests that hang."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def address(self) -> str:
        """Scheme, host and port: what the built-in provider calls `address`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    @property
    def url(self) -> str:
        """The GraphQL endpoint."""
        return self.address + PATH

    def play(self, scenario: str | Path | Scenario) -> None:
        """Go on with another scenario; its minutes still count from the clock's start."""
        self.scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        self.store.play(self.scenario)

    # -- faults

    def add_fault(self, kind: FaultKind | str, **details: Any) -> None:
        """Switch a fault on, e.g. `oap.fault("status", status=503, times=2)`; FaultError if there is no such."""
        self.faults.add(Fault.from_json({"kind": kind, **details}))

    def respond_with(
        self, body: str, status: int = 200, content_type: str = "application/json", **details: Any
    ) -> None:
        """Give a fixed answer to what comes (`times=`, `match=` as for any fault)."""
        self.add_fault(FaultKind.RESPONSE, body=body, status=status, content_type=content_type, **details)

    def clear_faults(self) -> None:
        """All well again."""
        self.faults.clear()

    # -- HTTP

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode("utf-8", "replace")
        seen = RecordedRequest(
            self.clock.now(),
            request.method,
            request.path_qs,
            request.headers.get("Content-Type"),
            dict(request.headers),
            body,
        )
        self.requests.append(seen)
        del self.requests[:-_MAX_RECORDED]  # a mock that runs for days must not eat the memory
        return await self._handler.handle(request, body)

    async def _show_faults(self, _: web.Request) -> web.Response:
        return web.json_response([fault.model_dump(mode="json", exclude_defaults=True) for fault in self.faults.active])

    async def _handle_add_fault(self, request: web.Request) -> web.Response:
        try:
            given = await request.json()
            for one in given if isinstance(given, list) else [given]:
                self.faults.add(Fault.from_json(one))
        except (FaultError, ValueError) as wrong:
            return web.json_response({"error": str(wrong)}, status=400)
        return await self._show_faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.clear_faults()
        return await self._show_faults(request)

    async def _show_requests(self, _: web.Request) -> web.Response:
        return web.json_response(
            [{"at": seen.at.isoformat(), "path": seen.path, "body": seen.body} for seen in self.requests]
        )
