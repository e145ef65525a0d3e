"""A hostile OAP, in a process of its own: `python -m tests.adversary.hostile_oap UPSTREAM`.

It forwards each request to the mock and changes the response. `POST /behaviour {"kind": …}` sets the change:

- `honest`: none.
- `body`: `text` is the response; `status` and `headers` may be given.
- `repeat`: the response is `prefix`, then `count` times `unit` joined by `separator`, then `suffix`. `{n}` in `unit` is
  the number.
- `sleep`: waits for `seconds` before the honest response; with `contains` only if the request's body has that text.
- `echo`: an error whose message contains the request's Authorization header.
- `replace`: in the honest response, each `old` of the pairs `texts` is replaced by `new`.

With `only`, requests that do not contain that text are answered honestly.
"""

import asyncio
import sys
from typing import Any

import aiohttp
from aiohttp import web

_JSON = {"Content-Type": "application/json"}


class HostileOap:
    """The server's state: the behaviour and the mock behind it."""

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self._upstream, self._session = upstream, session
        self._behaviour: dict[str, Any] = {"kind": "honest"}
        self._body = b""

    async def set_behaviour(self, request: web.Request) -> web.Response:
        """Set the behaviour of the next responses, and build their body once."""
        behaviour = await request.json()
        if behaviour["kind"] == "repeat":
            units = (behaviour["unit"].replace("{n}", str(number)) for number in range(behaviour["count"]))
            body = behaviour.get("separator", "").join(units)
            self._body = (behaviour["prefix"] + body + behaviour["suffix"]).encode()
        self._behaviour = behaviour
        return web.Response()

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Respond to a GraphQL request."""
        body, behaviour = await request.read(), self._behaviour
        kind = behaviour["kind"] if behaviour.get("only", "").encode() in body else "honest"
        if kind == "body":
            headers = _JSON | behaviour.get("headers", {})
            return web.Response(body=behaviour["text"].encode(), status=behaviour.get("status", 200), headers=headers)
        if kind == "repeat":
            return web.Response(body=self._body, headers=_JSON)
        if kind == "echo":
            message = f"not allowed: {request.headers.get('Authorization', '')}"
            return web.json_response({"errors": [{"message": message}]})
        if kind == "sleep" and behaviour.get("contains", "").encode() in body:
            await asyncio.sleep(behaviour["seconds"])
        async with self._session.post(f"{self._upstream}/graphql", data=body, headers=_JSON) as response:
            text, status = await response.text(), response.status
        if kind == "replace":
            for old, new in behaviour["texts"]:
                text = text.replace(old, new)
        return web.Response(text=text, status=status, content_type="application/json")


async def main(upstream: str) -> None:
    """Serve on a free port of loopback until the process is stopped."""
    async with aiohttp.ClientSession() as session:
        server = HostileOap(upstream, session)
        app = web.Application(client_max_size=64 << 20)
        app.add_routes([web.post("/behaviour", server.set_behaviour), web.post("/graphql", server.respond)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        print(f"listening http://127.0.0.1:{port}", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
