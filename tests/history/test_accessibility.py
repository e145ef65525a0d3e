"""Accessibility of the page: small screens, dark mode, contrast, keyboard and no JavaScript."""

import pytest
from playwright.async_api import Browser, expect

from skywalking_provider.history.store import History
from skywalking_provider.mock_oap import ManualClock
from tests.history.browser import NARROW, open_history_page

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_on_a_phone_fits_the_width(
    chromium: Browser, filled_history: History, clock: ManualClock, scheme: str
) -> None:
    async with open_history_page(
        chromium, filled_history, clock, viewport=NARROW, device_scale_factor=2, color_scheme=scheme, has_touch=True
    ) as history_page:
        await history_page.open("/?name=reviews")
        await history_page.page.tap("details.failed > summary")
        await history_page.take_screenshot(f"narrow-{scheme}")

        assert "wanted ≥ 0.99" in await history_page.visible_text()
        assert await history_page.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        assert history_page.browser_errors == []


async def test_page_dark_color_scheme_has_dark_background(
    chromium: Browser, filled_history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, filled_history, clock, color_scheme="dark") as history_page:
        await history_page.open()
        await history_page.page.click("details.failed > summary")
        await history_page.take_screenshot("dark")

        red, green, blue = await history_page.page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
        )
        assert max(red, green, blue) < 40


CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const [r, g, b, a = 1] = channels(getComputedStyle(one).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || node.closest("svg, option, .visually-hidden, noscript, script") || !node.checkVisibility()) continue;
    const [a, b] = [light(channels(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${node.className || node.localName} ${ratio.toFixed(2)}`);
  }
  return [...new Set(found)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_text_contrast_is_sufficient(
    chromium: Browser, filled_history: History, clock: ManualClock, scheme: str
) -> None:
    async with open_history_page(
        chromium, filled_history, clock, color_scheme=scheme, reduced_motion="reduce"
    ) as history_page:
        for path in ("/", "/?phase=Failed&phase=Error&phase=Running&phase=Inconclusive", "/?name=no-such-name"):
            await history_page.open(path)
            for summary in await history_page.page.locator("details.entry > summary").all():
                await summary.click()
            assert await history_page.page.evaluate(CONTRASTS) == []


async def test_page_is_usable_by_keyboard(chromium: Browser, filled_history: History, clock: ManualClock) -> None:
    async with open_history_page(chromium, filled_history, clock) as history_page:
        await history_page.open()
        keyboard = history_page.page.keyboard
        await keyboard.press("Tab")
        assert await history_page.page.evaluate("document.activeElement.textContent") == "Skip to the measurements"
        for _ in range(3):
            await keyboard.press("Tab")
        assert await history_page.page.evaluate("document.activeElement.value") == "Failed"
        await keyboard.press("Space")
        await expect(history_page.page.locator("details.entry")).to_have_count(2)
        await history_page.page.locator("details.entry > summary").first.focus()
        await keyboard.press("Enter")

        assert await history_page.page.locator("details.entry").first.get_attribute("open") is not None
        assert history_page.page.url.endswith("/?phase=Failed")


async def test_page_without_javascript_is_usable(
    chromium: Browser, filled_history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, filled_history, clock, java_script_enabled=False) as history_page:
        await history_page.open()
        await history_page.page.check("input[value=Inconclusive]", force=True)
        await history_page.page.click("text=Filter")

        await expect(history_page.page.locator("details.entry")).to_have_count(1)
        await history_page.page.click("details.entry > summary")
        await expect(history_page.page.locator(".reason")).to_have_text("NEITHER_CONDITION_MET")
