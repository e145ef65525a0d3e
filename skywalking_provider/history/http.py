"""HTTP application of the history page: read-only, with a host allowlist and a strict content security policy."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from skywalking_provider.config import PageConfig
from skywalking_provider.config.listeners import host_and_port
from skywalking_provider.history.filter import parse_filter
from skywalking_provider.history.store import History
from skywalking_provider.history.view import HistoryView, read_static_file

_HOST_PATTERN = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9A-Za-z._-]+))(?::\d{1,5})?", re.ASCII)
_STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def build_history_app(
    config: PageConfig, history: History, view: HistoryView, now: Callable[[], datetime]
) -> web.Application:
    """Build the application behind `page.listen`."""

    async def page(request: web.Request) -> web.Response:
        criteria = parse_filter(request.query, request.query.getall("phase", []))
        body = _stream_in_chunks(view.render(history, criteria, now()))
        return web.Response(body=body, content_type="text/html", charset="utf-8")

    app = web.Application(
        client_max_size=0, middlewares=[_host_allowlist({host_and_port(config.listen)[0], *config.hosts})]
    )
    app.router.add_get("/", page)
    for name, kind in _STATIC.items():
        app.router.add_get(f"/static/{name}", _build_file_handler(read_static_file(name), kind))
    app.on_response_prepare.append(_set_security_headers)
    return app


async def _stream_in_chunks(chunks: Iterable[str]) -> AsyncIterator[bytes]:
    """Yield the chunks and let other tasks run in between: thousands of entries take seconds to render."""
    for chunk in chunks:
        yield chunk.encode()
        await asyncio.sleep(0)


def _build_file_handler(content: bytes, kind: str) -> Handler:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type=kind, charset="utf-8")

    return handle


async def _set_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _host_allowlist(hosts: Iterable[str]) -> Middleware:
    """Return a middleware that rejects other host names.

    It prevents DNS rebinding: a page of the internet could let its own name resolve to 127.0.0.1 and read this page.
    """
    names = frozenset({"localhost", "127.0.0.1", "::1", *(host.lower() for host in hosts)})

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _parse_host(request.host) not in names:
            raise web.HTTPMisdirectedRequest(text="host name not allowed. Add it to page.hosts of the configuration.\n")
        return await handler(request)

    return check


def _parse_host(host: str) -> str:
    match = _HOST_PATTERN.fullmatch(host)
    return (match[1] or match[2]).lower() if match else ""
