"""The history page in a real browser. Screenshots go to build/screenshots."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect

from skywalking_provider.config import PageConfig
from skywalking_provider.history.http import build_history_app
from skywalking_provider.history.store import History
from skywalking_provider.history.view import HistoryView
from skywalking_provider.mock_oap import ManualClock
from skywalking_provider.server.connection_limits import ConnectionLimits
from skywalking_provider.server.http_listener import http_listener

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
expect.set_options(timeout=60_000)
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


class HistoryPage:
    """An open history page, with the messages, errors and dialogs of the browser."""

    def __init__(self, page: Page, base_url: str, browser_errors: list[str]) -> None:
        self.page = page
        self.base_url = base_url
        self.browser_errors = browser_errors

    async def open(self, path: str = "/") -> None:
        await self.page.goto(f"{self.base_url}{path}")

    async def visible_text(self) -> str:
        return await self.page.inner_text("body")

    async def take_screenshot(self, name: str, *, full_page: bool = False) -> None:
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page, animations="disabled")


@asynccontextmanager
async def open_history_page(
    chromium: Browser, history: History, clock: ManualClock, **options: Any
) -> AsyncIterator[HistoryPage]:
    app = build_history_app(
        PageConfig.model_validate({"listen": "127.0.0.1:0"}), history, HistoryView(["prod"], 500), clock
    )
    async with http_listener(app, "page.listen", "127.0.0.1:0", ConnectionLimits(64)) as address:
        context = await chromium.new_context(**{"viewport": WIDE, "color_scheme": "light"} | options)
        page, browser_errors = await context.new_page(), []
        page.on("console", lambda message: browser_errors.append(message.text))
        page.on("pageerror", lambda error: browser_errors.append(str(error)))
        page.on("dialog", lambda dialog: browser_errors.append(dialog.message))
        yield HistoryPage(page, f"http://{address}", browser_errors)
        await context.close()
