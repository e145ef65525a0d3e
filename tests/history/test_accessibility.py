"""The page on small screens, in the dark, for weak eyes, with the keyboard alone, and without scripts."""

import pytest
from playwright.async_api import Browser, expect

from skywalking_provider.history.store import History
from skywalking_provider.mock_oap import ManualClock
from tests.history.browser import NARROW, open_history_page

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone(chromium: Browser, filled_history: History, clock: ManualClock, scheme: str) -> None:
    async with open_history_page(
        chromium, filled_history, clock, viewport=NARROW, device_scale_factor=2, color_scheme=scheme, has_touch=True
    ) as visitor:
        await visitor.open("/?name=reviews")
        await visitor.page.tap("details.failed > summary")
        await visitor.take_screenshot(f"narrow-{scheme}")

        assert "wanted ≥ 0.99" in await visitor.visible_text()
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        assert visitor.browser_errors == []


async def test_it_is_dark_where_the_visitor_likes_it_dark(
    chromium: Browser, filled_history: History, clock: ManualClock
) -> None:
    async with open_history_page(chromium, filled_history, clock, color_scheme="dark") as visitor:
        await visitor.open()
        await visitor.page.click("details.failed > summary")
        await visitor.take_screenshot("dark")

        red, green, blue = await visitor.page.evaluate(
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
    if (!own || node.closest("svg, option, .sr, noscript, script") || !node.checkVisibility()) continue;
    const [a, b] = [light(channels(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${node.className || node.localName} ${ratio.toFixed(2)}`);
  }
  return [...new Set(found)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_stands_out_from_its_ground(
    chromium: Browser, filled_history: History, clock: ManualClock, scheme: str
) -> None:
    async with open_history_page(
        chromium, filled_history, clock, color_scheme=scheme, reduced_motion="reduce"
    ) as visitor:
        for path in ("/", "/?phase=Failed&phase=Error&phase=Running&phase=Inconclusive", "/?name=nobody-has-this-name"):
            await visitor.open(path)
            for summary in await visitor.page.locator("details.entry > summary").all():
                await summary.click()
            assert await visitor.page.evaluate(CONTRASTS) == []


async def test_it_works_with_the_keyboard_alone(chromium: Browser, filled_history: History, clock: ManualClock) -> None:
    async with open_history_page(chromium, filled_history, clock) as visitor:
        await visitor.open()
        keyboard = visitor.page.keyboard
        await keyboard.press("Tab")
        assert await visitor.page.evaluate("document.activeElement.textContent") == "Skip to the measurements"
        for _ in range(3):
            await keyboard.press("Tab")
        assert await visitor.page.evaluate("document.activeElement.value") == "Failed"
        await keyboard.press("Space")
        await expect(visitor.page.locator("details.entry")).to_have_count(2)
        await visitor.page.locator("details.entry > summary").first.focus()
        await keyboard.press("Enter")

        assert await visitor.page.locator("details.entry").first.get_attribute("open") is not None
        assert visitor.page.url.endswith("/?phase=Failed")


async def test_it_works_without_scripts(chromium: Browser, filled_history: History, clock: ManualClock) -> None:
    async with open_history_page(chromium, filled_history, clock, java_script_enabled=False) as visitor:
        await visitor.open()
        await visitor.page.check("input[value=Inconclusive]", force=True)
        await visitor.page.click("text=Filter")

        await expect(visitor.page.locator("details.entry")).to_have_count(1)
        await visitor.page.click("details.entry > summary")
        await expect(visitor.page.locator(".reason")).to_have_text("NEITHER_CONDITION_MET")
