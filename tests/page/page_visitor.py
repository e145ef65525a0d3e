"""A visitor of the page in a real browser. Screenshots go to build/screenshots."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect

from skywalking_provider.config import PageConfig
from skywalking_provider.mock_oap import ManualClock
from skywalking_provider.page.history import History
from skywalking_provider.page.view import View
from skywalking_provider.server.page import page_app
from skywalking_provider.server.web import listening

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
expect.set_options(timeout=20_000)
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


class Visitor:
    """A page that is open, and everything the browser complained of."""

    def __init__(self, page: Page, base: str, complaints: list[str]) -> None:
        self.page = page
        self.base = base
        self.complaints = complaints

    async def go(self, path: str = "/") -> None:
        await self.page.goto(f"{self.base}{path}")

    async def shown(self) -> str:
        return await self.page.inner_text("body")

    async def shoot(self, name: str, *, full: bool = False) -> None:
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full, animations="disabled")


@asynccontextmanager
async def visiting(chromium: Browser, history: History, clock: ManualClock, **options: Any) -> AsyncIterator[Visitor]:
    app = page_app(PageConfig.model_validate({"listen": "127.0.0.1:0"}), history, View(["prod"], 500), clock)
    async with listening(app, "page.listen", "127.0.0.1:0") as address:
        context = await chromium.new_context(**{"viewport": WIDE, "color_scheme": "light"} | options)
        page, complaints = await context.new_page(), []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        yield Visitor(page, f"http://{address}", complaints)
        await context.close()
