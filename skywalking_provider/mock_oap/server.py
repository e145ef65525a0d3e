"""The mock OAP: an HTTP server in the process, with its own clock, a scenario and faults."""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from dataclasses import replace
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
from skywalking_provider.mock_oap.versions import AlarmApi, TraceStorage, select_version

_MAX_BODY = 16 * 1024 * 1024
_MAX_RECORDED = 10_000


class MockOap:
    """A mock Apache SkyWalking OAP server in this process.

    Use it as `async with MockOap("healthy-canary") as oap: ... oap.url`. It serves `/graphql`, `/v3/events` and
    `/mock/...`; other paths are HTTP 404.

    Args:
        scenario: Name of a shipped scenario, YAML file, or scenario.
        version: OAP version to imitate.
        timezone: Time zone of the server: an offset such as "+0545", or an IANA name.
        clock: Source of the time.
        speed: Factor by which the server's clock runs faster than its source.
        faults: Faults that are enabled from the start.
        host: Address to listen on.
        port: Port to listen on; 0 selects a free one.
        max_complexity: Limit of selected fields; by default that of the version.
        alarm_api: Alarm queries that it has beside those of the version.
        decimal_comma: Whether numbers of expressions have a decimal comma.
        tls: TLS context of the listener; None serves plain HTTP.
        trace_storage: Query of traces that the storage serves; by default that of the version.
        jdbc: Whether reads across midnight miss the second day, as in JDBC storages (docs/mock-oap.md).
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
        alarm_api: AlarmApi = AlarmApi.GET_ALARM,
        decimal_comma: bool = False,
        tls: ssl.SSLContext | None = None,
        trace_storage: TraceStorage | None = None,
        jdbc: bool = False,
    ) -> None:
        self.scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        selected = select_version(version).with_sdl(alarm_api.sdl)
        if trace_storage is not None:
            selected = selected.with_trace_storage(trace_storage)
        self.oap_version = replace(selected, reads_days_by_steps=jdbc)
        self.clock = MockClock(clock, parse_zone(timezone) if isinstance(timezone, str) else timezone, speed)
        self.store = Store(self.scenario, self.clock)
        self.requests: list[RecordedRequest] = []
        """Received requests, oldest first, without those to `/mock`."""
        self.faults = Faults(faults)
        self._host, self._port, self._tls = host, port, tls
        self._executor = Executor(
            self.store, self.oap_version, max_complexity=max_complexity, decimal_comma=decimal_comma
        )
        self._closing = asyncio.Event()
        self._handler = HttpHandler(self._executor, self.store.events, self.faults, self._closing)
        self._runner: web.AppRunner | None = None

    # -- start and stop

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start listening.

        Raises:
            OSError: The address is not available.
        """
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
        """Stop listening and end the hanging requests."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def address(self) -> str:
        """Scheme, host and port: `address` of Argo's built-in provider."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    @property
    def url(self) -> str:
        """The GraphQL endpoint."""
        return self.address + PATH

    def set_scenario(self, scenario: str | Path | Scenario) -> None:
        """Switch to another scenario. Its minutes still count from the start of the clock."""
        self.scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        self.store.set_scenario(self.scenario)

    # -- faults

    def add_fault(self, kind: FaultKind | str, **details: Any) -> None:
        """Enable a fault, for example `oap.add_fault("status", status=503, times=2)`.

        Raises:
            FaultError: The kind or a detail is invalid.
        """
        self.faults.add(Fault.from_json({"kind": kind, **details}))

    def respond_with(
        self, body: str, status: int = 200, content_type: str = "application/json", **details: Any
    ) -> None:
        """Respond to the next requests with a fixed response (`times=`, `match=` as for any fault)."""
        self.add_fault(FaultKind.RESPONSE, body=body, status=status, content_type=content_type, **details)

    def clear_faults(self) -> None:
        """Disable all faults."""
        self.faults.clear()

    # -- HTTP

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode("utf-8", "replace")
        recorded = RecordedRequest(
            self.clock.now(),
            request.method,
            request.path_qs,
            request.headers.get("Content-Type"),
            dict(request.headers),
            body,
        )
        self.requests.append(recorded)
        del self.requests[:-_MAX_RECORDED]  # bounds the memory of a mock that runs for days
        return await self._handler.handle(request, body)

    async def _show_faults(self, _: web.Request) -> web.Response:
        return web.json_response([fault.model_dump(mode="json", exclude_defaults=True) for fault in self.faults.active])

    async def _handle_add_fault(self, request: web.Request) -> web.Response:
        try:
            content = await request.json()
            for one in content if isinstance(content, list) else [content]:
                self.faults.add(Fault.from_json(one))
        except (FaultError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return await self._show_faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.clear_faults()
        return await self._show_faults(request)

    async def _show_requests(self, _: web.Request) -> web.Response:
        return web.json_response(
            [{"at": one.at.isoformat(), "path": one.path, "body": one.body} for one in self.requests]
        )
