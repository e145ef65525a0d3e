"""Application of a pod: a small HTTP server that responds with its version, and behaves as the version does."""

import asyncio
import random

from aiohttp import web

from bench.talk.versions import Behaviour, Version

VERSION_HEADER = "x-version"
_FAILED_SHARE = 0.2
_USUAL_SECONDS = (0.01, 0.03)
_SLOW_SECONDS = (0.8, 1.2)


async def start_application(version: Version, port: int) -> web.AppRunner:
    """Serve a version on a port of 127.0.0.1 until the runner is cleaned up."""

    async def respond(_: web.Request) -> web.Response:
        slow = version.behaviour is Behaviour.SLOW
        await asyncio.sleep(random.uniform(*(_SLOW_SECONDS if slow else _USUAL_SECONDS)))  # noqa: S311 - not a secret
        failed = version.behaviour is Behaviour.BAD and random.random() < _FAILED_SHARE  # noqa: S311
        # Istio's default retries do not repeat a 500.
        return web.Response(status=500 if failed else 200, text=version.name, headers={VERSION_HEADER: version.name})

    application = web.Application()
    application.router.add_get("/{path:.*}", respond)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner
