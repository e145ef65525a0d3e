"""Pictures of the documentation by their names in docs/, each with the function that takes it."""

import asyncio
import io
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import yaml
from playwright.async_api import Browser
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from skywalking_provider.history.store import History
from skywalking_provider.mock_oap import ManualClock
from skywalking_provider.mock_oap.scenario import Scenario, parse_scenario
from skywalking_provider.tools.backtest.page.html import render_page
from tests.analysis.judged import CANARY_HASH, COMPARE, STABLE_HASH, calls, metric, pod, rollout
from tests.history.browser import open_history_page
from tests.history.harness import NOON, build_run, open_history_harness, record_timeline
from tests.tools.backtest.harness import SERVICE, build_metric, build_template, open_stage

CANARY_FAILURES = (0, 1, 2, 0, 1, 1, 0, 6, 7, 5, 8, 6)
STABLE_FAILURES = (10, 8, 9, 11, 9, 8, 10, 9, 9, 10, 9, 9)
"""Failures by minute, of 120 and of 1,080 calls: a fault begins in the eighth minute."""

_LIGHT = (230, 237, 243)
_RED, _GREEN, _YELLOW, _BLUE = (255, 82, 71), (63, 185, 80), (210, 153, 34), (88, 166, 255)
_MAGENTA, _CYAN = (188, 140, 255), (57, 197, 207)
DARK = TerminalTheme((13, 17, 23), _LIGHT, [(72, 79, 88), _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN, _LIGHT])
TERMINAL_COLUMNS = 128
TALK_REPORT = Path(__file__).parents[2] / "bench/results/talk.hash.html"


async def take_history(chromium: Browser, target: Path) -> str:
    """Take the history page with an open Failed measurement; return the visible text."""
    clock = ManualClock(NOON)
    history = History(500, clock)
    (await record_timeline()).replay(history, clock)
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.open()
        await history_page.page.click("details.failed > summary")
        await history_page.page.mouse.move(0, 0)
        await history_page.page.screenshot(path=target, animations="disabled")
        return await history_page.visible_text()


async def take_judgement(chromium: Browser, target: Path) -> str:
    """Take a judged measurement of the history page, down to its charts; return the visible text."""
    clock = ManualClock(NOON)
    history = History(10, clock)
    sides = (CANARY_HASH, 120, CANARY_FAILURES), (STABLE_HASH, 1080, STABLE_FAILURES)
    scenario = rollout(*(pod(name, *_by_minute(number, failures)) for name, number, failures in sides))
    async with open_history_harness(history.add, clock, scenario) as harness:
        clock.set(NOON + timedelta(minutes=14))
        await harness.measure(metric(COMPARE), replace(build_run("reviews"), started_at=NOON))
    size = {"width": 1060, "height": 900}
    async with open_history_page(chromium, history, clock, viewport=size, device_scale_factor=1.5) as history_page:
        await history_page.open()
        await history_page.page.click("details.failed > summary")
        await history_page.page.mouse.move(0, 0)
        entry = await history_page.page.locator("details.failed").bounding_box()
        charts = await history_page.page.locator("details.failed .charts").first.bounding_box()
        assert entry
        assert charts
        clip = entry | {"height": charts["y"] + charts["height"] - entry["y"] + 8}
        await history_page.page.screenshot(path=target, animations="disabled", clip=clip)
        return await history_page.visible_text()


def _by_minute(number: int, failures: Sequence[int]) -> Iterator[dict[str, Any]]:
    for minute, failed in enumerate(failures, 1):
        yield calls(number, failed, **{"from": minute, "until": minute + 1})


async def take_demo(chromium: Browser, target: Path) -> str:
    """Take the output of `make demo`; return it."""
    environment = os.environ | {"COLUMNS": str(TERMINAL_COLUMNS), "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "0"}
    demo = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("skywalking-provider"), "demo", env=environment, stdout=asyncio.subprocess.PIPE
    )
    output = (await demo.communicate())[0].decode()
    assert demo.returncode == 0, output
    await take_terminal(chromium, output, target)
    return output


async def take_talk(chromium: Browser, target: Path) -> str:
    """Take the timeline of the talk's committed report; return the visible text."""
    page = await (await chromium.new_context(viewport={"width": 1280, "height": 900})).new_page()
    await page.goto(TALK_REPORT.as_uri())
    legend = await page.locator(".legend").bounding_box()
    assert legend
    clip = {"x": 0.0, "y": 0.0, "width": 1280.0, "height": legend["y"] + legend["height"] + 14}
    await page.screenshot(path=target, animations="disabled", clip=clip)
    text = await page.inner_text("body")
    await page.context.close()
    return text


async def take_backtest(chromium: Browser, target: Path) -> str:
    """Take the page of a backtest over a noisy night with an incident; return the visible text."""
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, await asyncio.to_thread(build_noisy_history))
        template = build_template(build_metric(sli="success-rate", objective=0.985))
        html = await asyncio.to_thread(render_page, [await stage.backtest(template, pictures=True)])
    page = await (await chromium.new_context(viewport={"width": 1240, "height": 900})).new_page()
    await page.set_content(html)
    await page.screenshot(path=target, full_page=True)
    text = await page.inner_text("body")
    await page.context.close()
    return text


def build_noisy_history() -> Scenario:
    """Build eight hours of two pods with random failures, and one incident."""
    random = Random(4)  # noqa: S311 # not for secrets
    rates = [0.06 if 300 <= at < 312 else 0.011 for at in range(480)]
    pods = [
        {
            "name": f"reviews-7d4f9c8b65-{suffix}",
            "attributes": {"pod": f"reviews-7d4f9c8b65-{suffix}"},
            "from": -480,
            "traffic": [
                {"from": at - 480, "until": at - 479, "calls": 90, "latencies": [40]}
                | {"failures": sum(random.random() < rate for _ in range(90))}
                for at, rate in enumerate(rates)
            ],
        }
        for suffix in ("2xkqz", "h6pnw")
    ]
    services = [{"name": SERVICE, "layer": "MESH", "instances": pods}]
    return parse_scenario(yaml.safe_dump({"services": services}), "noisy")


async def take_terminal(chromium: Browser, output: str, target: Path) -> None:
    """Take the output of a program with its colours."""
    console = Console(record=True, width=TERMINAL_COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(output.rstrip()), soft_wrap=True)
    style = "margin: 0; padding: 14px; width: max-content; font: 14px/19px 'DejaVu Sans Mono', monospace"
    code = f'<pre id="terminal" style="{style}; background: {{background}}; color: {{foreground}}">{{code}}</pre>'
    page = await (await chromium.new_context(viewport={"width": 1280, "height": 900})).new_page()
    await page.set_content(console.export_html(theme=DARK, inline_styles=True, code_format=code))
    await page.locator("#terminal").screenshot(path=target)
    await page.context.close()


PICTURES: dict[str, Callable[[Browser, Path], Awaitable[str]]] = {
    "backtest.png": take_backtest,
    "demo.png": take_demo,
    "judgement.png": take_judgement,
    "page.png": take_history,
    "talk.png": take_talk,
}
