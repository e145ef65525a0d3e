"""The page in a real browser: what a person sees, in each of its states, and that nothing of it runs as a script.

Screenshots go to build/screenshots.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from page_bench import NOON, Story, record, run, story
from playwright.async_api import Browser, Page, async_playwright, expect

from skywalking_provider.config import PageConfig
from skywalking_provider.forms.sample import Sample
from skywalking_provider.mock_oap import ManualClock
from skywalking_provider.model import Phase, Run, Window
from skywalking_provider.page.history import History
from skywalking_provider.page.view import View
from skywalking_provider.plan import Read
from skywalking_provider.record import Trail
from skywalking_provider.series import Series
from skywalking_provider.server.page import page_app
from skywalking_provider.server.web import listening

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
expect.set_options(timeout=20_000)
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "no Chromium: `make chromium` installs it, or CHROMIUM names it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def told() -> Story:
    return await story()


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


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def history(clock: ManualClock) -> History:
    return History(500, clock)


@pytest.fixture
def busy(told: Story, history: History, clock: ManualClock) -> History:
    told.tell(history, clock)
    return history


async def test_before_the_first_measurement_it_says_what_to_do(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    async with visiting(chromium, history, clock) as visitor:
        await visitor.go()
        await visitor.shoot("empty")

        shown = await visitor.shown()
        assert "No measurement yet" in shown
        assert "skywalking-provider check -f template.yaml" in shown
        assert visitor.complaints == []


async def test_a_busy_provider_shows_every_phase_with_its_fact(
    chromium: Browser, busy: History, clock: ManualClock
) -> None:
    async with visiting(chromium, busy, clock) as visitor:
        await visitor.go()
        await visitor.shoot("busy")

        assert await visitor.page.title() == "(2 failed) SkyWalking provider"
        rows = await visitor.page.locator("details.entry > summary").all_inner_texts()
        assert len(rows) == len(busy)
        top, second, third, *_ = (" ".join(row.split()) for row in rows)
        assert top.startswith("Running success-rate shop / ratings OAP_AWAY backend prod at http://127.0.0.1:9")
        assert second.startswith("Error success-rate bookinfo / reviews OAP_REFUSED backend prod answered 401")
        assert third == "Failed success-rate bookinfo / reviews success-rate 0.95 12:21:40"
        for phase, count in (("Failed", 2), ("Error", 2), ("Inconclusive", 1), ("Running", 2), ("Successful", 10)):
            assert await visitor.page.inner_text(f'[data-count="{phase}"]') == str(count)
        assert visitor.complaints == []


async def test_a_failure_explains_itself(chromium: Browser, busy: History, clock: ManualClock) -> None:
    async with visiting(chromium, busy, clock) as visitor:
        await visitor.go("/?phase=Failed&phase=Error")
        for summary in await visitor.page.locator("details.entry > summary").all():
            await summary.click()
        await visitor.page.locator(".failed .block > summary", has_text="Resolved query").last.click()
        await visitor.shoot("failures", full=True)

        shown = await visitor.shown()
        assert 'CONDITION_NOT_MET success-rate 0.95, wanted "result >= 0.99" · 600 calls in 10 buckets' in shown
        assert "12:10–12:20 +0000" in shown
        assert "success-rate reviews-6c85f7bf4-9zr8t wanted ≥ 0.99" in shown
        assert "service_apdex: readMetricsValues(" in shown
        assert "BLOCK_INVALID the block under provider.plugin is wrong: interval: '5' is not a duration" in shown
        bars = visitor.page.locator("details.failed .chart").first
        assert await bars.get_attribute("aria-label") == (
            "success-rate reviews-6c85f7bf4-9zr8t: 0.95 to 0.95 in 10 minutes, 0 absent"
        )
        assert await bars.locator(".misses").count() == 10
        assert visitor.complaints == []


async def test_an_absent_minute_is_a_gap_not_a_zero(chromium: Browser, history: History, clock: ManualClock) -> None:
    window = Window(NOON.replace(second=0), NOON.replace(second=0) + timedelta(minutes=3))
    sample = Sample({}, "calls 5 0 –", (), shown=(Series("calls", (5, 0, None)),))
    history.add(record(trail=Trail(backend="prod", window=window, sample=sample)))
    async with visiting(chromium, history, clock) as visitor:
        await visitor.go()
        await visitor.page.click("#s1")

        chart = visitor.page.locator(".chart")
        assert [await chart.locator(f".{kind}").count() for kind in ("bar", "zero", "none")] == [1, 1, 1]
        assert await chart.locator("title").all_text_contents() == ["12:00 · 5", "12:01 · 0", "12:02 · absent"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone(chromium: Browser, busy: History, clock: ManualClock, scheme: str) -> None:
    async with visiting(
        chromium, busy, clock, viewport=NARROW, device_scale_factor=2, color_scheme=scheme, has_touch=True
    ) as visitor:
        await visitor.go("/?name=reviews")
        await visitor.page.tap("details.failed > summary")
        await visitor.shoot(f"narrow-{scheme}")

        assert "wanted ≥ 0.99" in await visitor.shown()
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        assert visitor.complaints == []


async def test_an_open_measurement_shows_its_minutes_above_its_facts(
    chromium: Browser, busy: History, clock: ManualClock
) -> None:
    async with visiting(chromium, busy, clock) as visitor:
        await visitor.go()
        await visitor.page.click("details.failed > summary")
        await visitor.shoot("open")

        charts = await visitor.page.locator("details[open] .figure").all()
        facts = await visitor.page.locator("details[open] .facts").bounding_box()
        boxes = [await chart.bounding_box() for chart in charts]
        assert facts
        assert all(box and box["y"] + box["height"] <= facts["y"] for box in boxes)
        assert len(boxes) == 2


async def test_it_is_dark_where_the_visitor_likes_it_dark(chromium: Browser, busy: History, clock: ManualClock) -> None:
    async with visiting(chromium, busy, clock, color_scheme="dark") as visitor:
        await visitor.go()
        await visitor.page.click("details.failed > summary")
        await visitor.shoot("dark")

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
    chromium: Browser, busy: History, clock: ManualClock, scheme: str
) -> None:
    async with visiting(chromium, busy, clock, color_scheme=scheme, reduced_motion="reduce") as visitor:
        for path in ("/", "/?phase=Failed&phase=Error&phase=Running&phase=Inconclusive", "/?name=nobody-has-this-name"):
            await visitor.go(path)
            for summary in await visitor.page.locator("details.entry > summary").all():
                await summary.click()
            assert await visitor.page.evaluate(CONTRASTS) == []


async def test_it_works_with_the_keyboard_alone(chromium: Browser, busy: History, clock: ManualClock) -> None:
    async with visiting(chromium, busy, clock) as visitor:
        await visitor.go()
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


async def test_a_filter_narrows_the_list_and_stays_in_the_address(
    chromium: Browser, busy: History, clock: ManualClock
) -> None:
    async with visiting(chromium, busy, clock) as visitor:
        await visitor.go()
        await visitor.page.select_option("#namespace", "shop")
        await visitor.page.fill("#name", "checkout")

        await expect(visitor.page.locator("details.entry")).to_have_count(2)
        assert visitor.page.url.endswith("/?namespace=shop&name=checkout")
        await visitor.page.reload()
        await expect(visitor.page.locator("details.entry")).to_have_count(2)
        assert await visitor.page.input_value("#name") == "checkout"
        await visitor.page.fill("#name", "nobody")
        await expect(visitor.page.locator("#empty")).to_contain_text("No measurement matches")
        await visitor.page.click("text=Clear the filter")
        await expect(visitor.page.locator("details.entry")).to_have_count(len(busy))


async def test_it_renews_itself_and_keeps_what_is_open_typed_and_chosen(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    history.add(record(name="first"))
    async with visiting(chromium, history, clock) as visitor:
        await visitor.page.clock.install()
        await visitor.go("/?namespace=bookinfo")
        await visitor.page.click("#s1")
        await visitor.page.focus("#s1")
        history.add(record(NOON + timedelta(minutes=1), name="second"))
        history.add(record(NOON, name="elsewhere", whose=run("cart", namespace="shop")))
        await visitor.page.clock.fast_forward(6000)

        await expect(visitor.page.locator("details.entry")).to_have_count(2)
        assert await visitor.page.locator("details.entry .metric").first.inner_text() == "second"
        assert await visitor.page.get_attribute("#m1", "open") is not None
        assert await visitor.page.evaluate("document.activeElement.id") == "s1"
        assert await visitor.page.input_value("#namespace") == "bookinfo"
        assert await visitor.page.locator("#namespace option").all_inner_texts() == ["All", "bookinfo", "shop"]
        assert visitor.complaints == []


async def test_a_measurement_that_waits_is_renewed_in_its_place(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    history.add(record(phase=Phase.RUNNING, message="NO_DATA nothing yet"))
    async with visiting(chromium, history, clock) as visitor:
        await visitor.page.clock.install()
        await visitor.go()
        await visitor.page.click("#s1")
        history.add(record(phase=Phase.SUCCESSFUL))
        await visitor.page.clock.fast_forward(6000)

        await expect(visitor.page.locator("#m1 .phase")).to_have_text("Successful")
        assert await visitor.page.get_attribute("#m1", "open") is not None
        assert "answer 2" in await visitor.page.inner_text("#m1")


async def test_it_can_be_paused(chromium: Browser, history: History, clock: ManualClock) -> None:
    async with visiting(chromium, history, clock) as visitor:
        await visitor.page.clock.install()
        await visitor.go()
        await visitor.page.click("#pause")
        history.add(record())
        await visitor.page.clock.fast_forward(60_000)
        assert "No measurement yet" in await visitor.shown()

        await visitor.page.click("#pause")
        await expect(visitor.page.locator("details.entry")).to_have_count(1)


async def test_a_service_that_is_gone_is_said_to_be_gone(
    chromium: Browser, history: History, clock: ManualClock
) -> None:
    async with visiting(chromium, history, clock) as visitor:
        await visitor.page.clock.install()
        await visitor.go()
        await visitor.page.context.set_offline(True)
        await visitor.page.clock.fast_forward(6000)

        await expect(visitor.page.locator("#live-text")).to_have_text("the service does not answer")


async def test_it_works_without_scripts(chromium: Browser, busy: History, clock: ManualClock) -> None:
    async with visiting(chromium, busy, clock, java_script_enabled=False) as visitor:
        await visitor.go()
        await visitor.page.check("input[value=Inconclusive]", force=True)
        await visitor.page.click("text=Filter")

        await expect(visitor.page.locator("details.entry")).to_have_count(1)
        await visitor.page.click("details.entry > summary")
        await expect(visitor.page.locator(".reason")).to_have_text("NEITHER_CONDITION_MET")


ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "</code></pre><iframe src=javascript:alert(1)>",
    "\u202e\u0000<b>",
)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_nothing_that_comes_from_outside_becomes_markup(
    chromium: Browser, history: History, clock: ManualClock, attack: str
) -> None:
    window = Window(NOON.replace(second=0), NOON.replace(second=0) + timedelta(minutes=2))
    sample = Sample({}, attack, (), shown=(Series(attack, (1, attack)), Series(attack, (attack,))))
    reads = (Read(f"query {{ {attack} }}", {attack: attack}), Read("query q { a }", {"v": attack}))
    trail = Trail(attack, attack, attack, window, reads, sample, attack)
    whose = Run(attack, attack, labels={"rollout-type": attack}, owner_kind="Rollout", owner_name=attack)
    history.add(record(phase=Phase.FAILED, name=attack, whose=whose, message=attack, value=attack, trail=trail))
    async with visiting(chromium, history, clock) as visitor:
        await visitor.go()
        for summary in await visitor.page.locator("summary").all():
            await summary.click()
        await visitor.page.select_option("#metric", index=1)
        await expect(visitor.page.locator("details.entry")).to_have_count(1)
        await visitor.page.reload()

        assert await visitor.page.locator("script").count() == 1
        assert await visitor.page.locator("main img, iframe, svg[onload], main b b").count() == 0
        visible = await visitor.page.locator(".metric").text_content()
        assert visible == attack.replace("\u0000", "\ufffd").replace("\u202e", "\ufffd")
        assert visitor.complaints == []


async def test_an_attack_in_the_address_stays_a_word(chromium: Browser, history: History, clock: ManualClock) -> None:
    history.add(record())
    async with visiting(chromium, history, clock) as visitor:
        await visitor.go("/?name=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&metric=%3Cimg%20src=x%20onerror=alert(1)%3E")

        assert await visitor.page.input_value("#name") == '"><script>alert(1)</script>'
        assert await visitor.page.locator("script").count() == 1
        assert visitor.complaints == []


async def test_older_measurements_are_a_click_away(chromium: Browser, history: History, clock: ManualClock) -> None:
    for at in range(100):
        history.add(record(NOON + timedelta(minutes=at)))
    async with visiting(chromium, history, clock) as visitor:
        await visitor.go("/?namespace=bookinfo")
        assert "The latest 40 of 100 measurements" in await visitor.shown()
        await visitor.page.click("text=Show all 100")

        await expect(visitor.page.locator("details.entry")).to_have_count(100)
        assert visitor.page.url.endswith("/?namespace=bookinfo&all=1")
