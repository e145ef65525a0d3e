"""The page of `backtest --html`: complete without other resources, and readable in a browser."""

import asyncio
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from skywalking_provider.mock_oap import MockOap
from skywalking_provider.tools.backtest.model import Backtest
from skywalking_provider.tools.backtest.page.html import render_page
from tests.chromium import launch_chromium
from tests.tools.backtest.harness import HASHES, build_comparison, build_metric, build_template, open_stage
from tests.tools.backtest.test_command import run_backtest

pytestmark = [pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]
RATE = {**build_metric("rate", sli="success-rate", window="5m"), "successCondition": "result >= 0.96"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def backtest() -> AsyncIterator[Backtest]:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        yield await stage.backtest(build_template(build_comparison(), RATE, args=HASHES), pictures=True)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def page(backtest: Backtest) -> str:
    return await asyncio.to_thread(render_page, [backtest])


async def test_page_has_all_pictures_and_refers_to_nothing_outside(page: str) -> None:
    references = re.findall(r'(?:href|src|srcset|data|action)="([^"]*)"|url\(([^)]*)\)|@import', page)
    ids = Counter(re.findall(r'\bid="([^"]*)"', page))

    assert page.count("<svg") == 7  # the calendar, and for each metric timeline, aborted run and trade-off
    assert references
    assert all((one or other).startswith("#") for one, other in references)
    assert {(one or other)[1:] for one, other in references} <= ids.keys()
    assert [name for name, count in ids.items() if count > 1] == []
    assert "<script" not in page


async def test_page_is_readable_offline_in_a_browser(page: str, tmp_path: Path) -> None:
    file, requests, messages = tmp_path / "page.html", list[str](), list[str]()
    file.write_text(page)
    async with launch_chromium() as chromium:
        for width in (1280, 390):
            context = await chromium.new_context(viewport={"width": width, "height": 900}, offline=True)
            tab = await context.new_page()
            tab.on("request", lambda request: requests.append(request.url))
            tab.on("console", lambda message: messages.append(message.text))
            await tab.goto(file.as_uri())
            text = await tab.inner_text("body")
            assert await tab.evaluate("document.documentElement.scrollWidth") == width
            assert (
                await tab.evaluate("Math.min(...[...document.querySelectorAll('svg')].map(one => one.clientWidth))")
                > 700
            )
            await context.close()

    assert (requests, messages) == ([file.as_uri()] * 2, [])
    for shown in ("Runs that would have aborted", "canary-hash=6c85f7bf4", "tolerated limit", "wanted ≥ 0.96", "1/1"):
        assert shown in text


async def test_page_is_the_same_for_the_same_runs(backtest: Backtest, page: str) -> None:
    assert await asyncio.to_thread(render_page, [backtest]) == page


async def test_page_escapes_and_redacts_texts_of_others(backtest: Backtest) -> None:
    empty = replace(backtest, runs=(), studies=(), notes=("<img src=http://evil> s3cret\x1b[31m",))
    page = render_page([empty], lambda text: text.replace("s3cret", "********"))

    assert "&lt;img src=http://evil&gt; ********" in page
    assert "<img" not in page
    assert "\x1b" not in page


async def test_command_writes_the_page_beside_its_output(tmp_path: Path) -> None:
    async with MockOap("past-deploys") as oap:
        arguments = ("--since", "2h", "--no-cache", "--address", oap.address)
        code, out, err = await run_backtest(
            tmp_path, *arguments, "--html", str(tmp_path / "p.html"), template=build_template(RATE).document
        )
        missing = await run_backtest(tmp_path, *arguments, "--html", str(tmp_path / "none" / "p.html"))

    assert (code, err) == (0, "")
    assert "AnalysisTemplate reviews" in out
    assert (tmp_path / "p.html").read_text().startswith("<!doctype html>")
    assert missing[0] == 2
    assert "existing folder" in " ".join(missing[2].replace("│", " ").split())


async def test_command_without_matplotlib_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    code, out, err = await run_backtest(tmp_path, "--html", str(tmp_path / "p.html"), "--address", "http://127.0.0.1:9")

    assert (code, out) == (2, "")
    assert "pip install 'skywalking-provider[report]'" in " ".join(err.replace("│", " ").split())


async def test_command_line_does_not_import_matplotlib() -> None:
    code = "import sys, skywalking_provider.cli.backtest; sys.exit('matplotlib' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)

    assert await process.wait() == 0
