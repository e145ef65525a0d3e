"""Renew the pictures of docs/: `make screenshots`."""

import asyncio
import sys
from pathlib import Path

from tests.chromium import launch_chromium
from tests.screenshots.pictures import PICTURES

DOCS = Path(__file__).parents[2] / "docs"


async def renew(names: list[str]) -> None:
    async with launch_chromium() as chromium:
        for name in names or PICTURES:
            await PICTURES[name](chromium, DOCS / name)
            print(f"docs/{name}")  # noqa: T201 - a command


if __name__ == "__main__":
    asyncio.run(renew(sys.argv[1:]))
