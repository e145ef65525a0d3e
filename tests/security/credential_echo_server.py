"""A server that repeats the credentials that it received, in every place of a response that can hold a text."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

TextEncoder = Callable[[str], str]

ENCODINGS: dict[str, TextEncoder] = {
    "as it is": str,
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in JSON in JSON": lambda text: json.dumps(json.dumps(text))[1:-1],
    "in a URL": lambda text: quote(text, safe=""),
    "as Python shows it": lambda text: repr(text)[1:-1],
}

DURATION_QUERY = "query q($duration: Duration!)"


def _html_response(status: int) -> Callable[[str], web.Response]:
    return lambda text: web.Response(status=status, text=f"<html>{text}</html>", content_type="text/html")


def _graphql_response(**content: object) -> Callable[[str], web.Response]:
    def respond(text: str) -> web.Response:
        return web.json_response(json.loads(json.dumps(content).replace("TEXT", json.dumps(text)[1:-1])))

    return respond


def _graphql_error(**error: object) -> Callable[[str], web.Response]:
    return _graphql_response(data=None, errors=[error])


_SERIES = {"apdex": {"label": "TEXT", "values": {"values": [{"value": 1}]}}}

RESPONSES: dict[str, Callable[[str], web.StreamResponse]] = {
    **{
        f"a page of {status}": _html_response(status)
        for status in (200, 400, 401, 403, 404, 407, 418, 429, 500, 502, 503, 504)
    },
    **{
        f"a redirect of {status}": lambda text, status=status: web.Response(
            status=status, headers={"Location": f"http://127.0.0.1:9/?{quote(text)}"}
        )
        for status in (301, 302, 303, 307, 308)
    },
    "a reason phrase": lambda text: web.Response(status=500, reason="".join(filter(str.isascii, text)) or "x"),
    "a login": lambda text: web.Response(status=401, headers={"WWW-Authenticate": f"Basic realm={quote(text)}"}),
    "a cookie": lambda text: web.Response(status=200, text="{}", headers={"Set-Cookie": f"a={quote(text)}"}),
    "no JSON": lambda text: web.Response(text=f'{{"data": {text}'),
    "a JSON text": web.json_response,
    "an error": _graphql_error(message="cannot authorise TEXT"),
    "a long error": _graphql_error(message="x" * 280 + " TEXT " + "y" * 300),
    "an error of the storage": _graphql_error(
        message="java.io.IOException: Connection refused TEXT", extensions={"classification": "DataFetchingException"}
    ),
    "an error that is a text": _graphql_response(data=None, errors=["TEXT"]),
    "an error without a message": _graphql_error(TEXT="TEXT"),
    "an error in a path": _graphql_error(message="no", path=["TEXT"], locations=[{"line": 1, "column": 1}]),
    "labels": _graphql_response(data=_SERIES),
    "names": _graphql_response(data={"apdex": {"TEXT": "TEXT"}}),
    "values": _graphql_response(data={"apdex": {"label": "x", "values": {"values": [{"value": "TEXT"}]}}}),
    "a clock": _graphql_response(data={"getTimeInfo": {"timezone": "TEXT", "currentTimestamp": 1}}),
    "names of services": _graphql_response(
        data={"services": [{"id": "1", "name": "TEXT", "layers": ["MESH"], "normal": True}], "getTimeInfo": None}
    ),
}
QUOTED_RESPONSES = frozenset(
    name for name in RESPONSES if not name.startswith("a ") or name in ("a long error", "a clock")
)
"""Responses whose texts may be quoted in a message; the others are never quoted."""


@dataclass
class CredentialEchoServer:
    """State of the server: its next response."""

    url: str = ""
    response: str = "an error"
    encoding: str = "as it is"
    regular_queries: tuple[str, ...] = ()
    """Queries that contain one of these texts get a regular response."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        for query in self.regular_queries:
            if query in body:
                return web.json_response({"data": REGULAR_RESPONSES[query]})
        return RESPONSES[self.response](ENCODINGS[self.encoding](echo_request(request)))


REGULAR_RESPONSES = {
    "getTimeInfo": {"getTimeInfo": {"timezone": "+0000", "currentTimestamp": 1795521600000}},
    "__type": {"query": {"fields": [{"name": "readMetricsValues"}, {"name": "execExpression"}]}},
}


def echo_request(request: web.Request) -> str:
    """Return all headers of a request; an Authorization header also in parts and decoded."""
    authorization = request.headers.get("Authorization", "")
    scheme, _, rest = authorization.partition(" ")
    decoded = base64.b64decode(rest).decode() if scheme == "Basic" else ""
    return " ".join((*(f"{name}: {value}" for name, value in request.headers.items()), rest, decoded))


@asynccontextmanager
async def start_echo_server() -> AsyncIterator[CredentialEchoServer]:
    oap = CredentialEchoServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", oap.handle)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    oap.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield oap
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
