"""Pictures of the documentation: each has a source, and shows what the pages say about it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.chromium import launch_chromium
from tests.screenshots.pictures import PICTURES, take_backtest, take_history, take_judgement, take_talk, take_terminal

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with launch_chromium() as browser:
        yield browser


def read_size(picture: Path) -> tuple[int, int]:
    header = picture.read_bytes()[:24]
    assert header.startswith(PNG)
    return int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")


async def test_every_picture_of_the_docs_is_renewed_by_make_screenshots() -> None:
    assert {path.name for path in (ROOT / "docs").rglob("*.png")} == PICTURES.keys()


async def test_every_picture_is_part_of_a_page() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    image = re.compile(r"!\[[^\]]*\]\((?:[^)]*/)?([\w-]+\.png)\)")
    shown = {name for page in pages for name in image.findall(page.read_text())}

    assert shown == PICTURES.keys()


async def test_history_page_shows_a_failed_measurement_with_its_charts(chromium: Browser, tmp_path: Path) -> None:
    text = await take_history(chromium, tmp_path / "page.png")

    assert "wanted ≥ 0.99" in text
    assert read_size(tmp_path / "page.png") == read_size(ROOT / "docs/page.png")


async def test_judgement_shows_the_canary_below_the_limit_and_the_evidence(chromium: Browser, tmp_path: Path) -> None:
    text = await take_judgement(chromium, tmp_path / "judgement.png")

    assert "worse from 1 000" in text
    assert read_size(tmp_path / "judgement.png")[0] == read_size(ROOT / "docs/judgement.png")[0]


async def test_timeline_of_the_talk_shows_the_three_versions(chromium: Browser, tmp_path: Path) -> None:
    text = await take_talk(chromium, tmp_path / "talk.png")

    assert "The talk, way hash: as expected" in text
    assert read_size(tmp_path / "talk.png") == read_size(ROOT / "docs/talk.png")


async def test_backtest_shows_the_aborted_run_with_its_pictures(chromium: Browser, tmp_path: Path) -> None:
    text = await take_backtest(chromium, tmp_path / "backtest.png")

    assert "OBJECTIVE_MISSED" in text
    assert "margin, as a factor of the template's" in text
    assert read_size(tmp_path / "backtest.png")[0] == read_size(ROOT / "docs/backtest.png")[0]


async def test_terminal_has_the_width_of_its_longest_line(chromium: Browser, tmp_path: Path) -> None:
    """The demo itself is not run here, because it takes a minute."""
    for columns in (64, 128):
        await take_terminal(chromium, f"\x1b[31m{'─' * columns}\x1b[0m\n", tmp_path / f"{columns}.png")
    narrow, wide = (read_size(tmp_path / f"{columns}.png")[0] for columns in (64, 128))

    assert wide - narrow == pytest.approx(narrow - 28, abs=2)
