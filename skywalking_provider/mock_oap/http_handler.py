"""HTTP layer of the mock: rejection of invalid requests as by OAP, and the effects of faults."""

import asyncio
import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from skywalking_provider.mock_oap.events import EventStore, InvalidEventsError
from skywalking_provider.mock_oap.faults import Fault, FaultKind, Faults
from skywalking_provider.mock_oap.graphql_executor import (
    BAD_REQUEST,
    TEXT,
    TEXT_UTF8,
    ExecutionInput,
    Executor,
    HttpResponse,
    needs_storage,
)

PATH: Final = "/graphql"
EVENTS_PATH: Final = "/v3/events"
HTML: Final = b"<html>\n<head><title>Sign in</title></head>\n<body><h1>Please sign in</h1></body>\n</html>\n"
_MARK: Final = "wrong types"
_CHUNK: Final = 64 * 1024
_STORAGE_TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A received request, for inspection by tests."""

    at: datetime
    method: str
    path: str
    content_type: str | None
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class HttpHandler:
    """Handles HTTP requests. `closing` ends those that hang."""

    def __init__(self, executor: Executor, events: EventStore, faults: Faults, closing: asyncio.Event) -> None:
        self._executor = executor
        self._events = events
        self._faults = faults
        self._closing = closing
        self._storage_fault: Fault | None = None

    async def handle(self, request: web.Request, body: str) -> web.StreamResponse:
        """Return the response to a request, changed by the first fault that matches."""
        fault = self._faults.match_request(body)
        if fault is None:
            return _response(self.normal_response(request, body))
        match fault.kind:
            case FaultKind.RESET:
                return _reset(request)
            case FaultKind.HANG:
                await self._sleep(fault.seconds)
                return _reset(request)
            case FaultKind.LATENCY:
                await self._sleep(1.0 if fault.seconds is None else fault.seconds)
                return _response(self.normal_response(request, body))
            case FaultKind.TRUNCATED:
                return await _truncated(request, self.normal_response(request, body))
            case FaultKind.HUGE:
                return await _huge(request, fault.size)
            case FaultKind.WRONG_TYPES:
                return _response(_with_wrong_types(self.normal_response(request, body), fault.size))
            case FaultKind.STORAGE_DOWN:
                return _response(await self._without_storage(request, body, fault))
            case _:
                return _response(_fixed_response(fault))

    def normal_response(self, request: web.Request, body: str) -> HttpResponse:
        """Return the response without any fault."""
        if request.path not in (PATH, EVENTS_PATH):
            return HttpResponse.from_status(HTTPStatus.NOT_FOUND, "Not Found")
        if request.method != "POST":
            return HttpResponse(HTTPStatus.METHOD_NOT_ALLOWED, b"405 Method Not Allowed", TEXT_UTF8)
        if request.path == EVENTS_PATH:
            return self._report_events(request, body)
        parsed = self._parse_request(request, body)
        return parsed if isinstance(parsed, HttpResponse) else self._executor.execute(parsed)

    def _report_events(self, request: web.Request, body: str) -> HttpResponse:
        if request.content_type != "application/json":
            return HttpResponse.from_status(HTTPStatus.BAD_REQUEST, "Bad Request")
        try:
            self._events.report(body, self._executor.oap_version)
        except InvalidEventsError:
            return HttpResponse.from_status(HTTPStatus.BAD_REQUEST, "Bad Request")
        except ValueError:
            return HttpResponse.from_status(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        return HttpResponse(HTTPStatus.OK, b"", "application/protobuf")

    def _parse_request(self, request: web.Request, body: str) -> ExecutionInput | HttpResponse:
        kind = request.content_type if "Content-Type" in request.headers else ""
        if kind not in ("application/json", "application/graphql") and not kind.endswith("+json"):
            text = b"Unsupported media type. Only JSON compatible types and application/graphql are supported."
            return HttpResponse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, text, TEXT)
        if not body:
            return HttpResponse(BAD_REQUEST, b"Missing request body", TEXT)
        if kind == "application/graphql":
            return ExecutionInput(body, {})
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            return HttpResponse(BAD_REQUEST, f"Failed to parse a JSON document: {body}".encode(), TEXT)
        query, variables = content.get("query"), content.get("variables")
        if not query or not isinstance(query, str):
            return HttpResponse(BAD_REQUEST, b"query is missing", TEXT)
        return ExecutionInput(query, variables if isinstance(variables, dict) else {}, content.get("operationName"))

    async def _without_storage(self, request: web.Request, body: str, fault: Fault) -> HttpResponse:
        parsed = self._parse_request(request, body)
        if isinstance(parsed, HttpResponse) or not needs_storage(parsed):
            return self.normal_response(request, body)
        if self._storage_fault is not fault:
            self._storage_fault = fault
            return self._executor.storage_error(parsed)
        await self._sleep(_STORAGE_TIMEOUT if fault.seconds is None else fault.seconds)
        return HttpResponse.from_status(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")

    async def _sleep(self, seconds: float | None) -> None:
        """Wait until the time is over or the server closes."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return


def _fixed_response(fault: Fault) -> HttpResponse:
    match fault.kind:
        case FaultKind.HTML:
            return HttpResponse(fault.status or HTTPStatus.OK, HTML, "text/html; charset=utf-8")
        case FaultKind.REDIRECT:
            return HttpResponse(fault.status or HTTPStatus.FOUND, b"", None, {"Location": fault.location})
        case FaultKind.RESPONSE:
            return HttpResponse(fault.status or HTTPStatus.OK, fault.body.encode(), fault.content_type)
        case _:
            status = HTTPStatus(fault.status or HTTPStatus.SERVICE_UNAVAILABLE)
            return HttpResponse.from_status(status, status.phrase)


def _with_wrong_types(http_response: HttpResponse, size: int) -> HttpResponse:
    """Return a response whose first list has booleans; unchanged if it has no list."""
    try:
        content = json.loads(http_response.body)
    except ValueError:
        return http_response
    if not _mark_first_list(content):
        return http_response
    body = json.dumps(content).replace(json.dumps(_MARK), _wrong_items(size))
    return replace(http_response, body=body.encode())


@lru_cache(maxsize=1)
def _wrong_items(size: int) -> str:
    return ",".join(["true"] * (size // len("true,") + 1))


def _mark_first_list(node: Any) -> bool:
    """Replace the items of the first list by a mark, and return whether there is a list."""
    if isinstance(node, list):
        node[:] = [_MARK]
        return True
    return isinstance(node, dict) and any(_mark_first_list(child) for child in node.values())


def _response(http_response: HttpResponse) -> web.Response:
    headers = dict(http_response.headers)
    if http_response.content_type is not None:
        headers["Content-Type"] = http_response.content_type
    response = web.Response(status=http_response.status, body=http_response.body, headers=headers)
    if http_response.content_type is None:
        response.headers.pop("Content-Type", None)
    return response


def _reset(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        link = transport.get_extra_info("socket")
        # Linger of zero makes the kernel send RST instead of FIN.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def _truncated(request: web.Request, http_response: HttpResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=http_response.status)
    response.headers["Content-Type"] = http_response.content_type or TEXT
    response.content_length = len(http_response.body)
    await response.prepare(request)
    await response.write(http_response.body[: len(http_response.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _huge(request: web.Request, size: int) -> web.StreamResponse:
    start, end = b'{"data":{"version":"', b'"}}'
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = max(size, len(start) + len(end))
    await response.prepare(request)
    with suppress(ConnectionError):  # a client may close the connection as soon as it sees the length
        await response.write(start)
        left = response.content_length - len(start) - len(end)
        while left > 0:
            await response.write(b"x" * min(left, _CHUNK))
            left -= _CHUNK
        await response.write(end)
    return response
