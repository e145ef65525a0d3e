"""The built site in a browser without a network: complete pages, search, the menu of versions."""

import functools
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.site.build import write_versions

pytestmark = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=30_000)
REPOSITORY = "https://github.com/skywalking-provider/rollouts-plugin-metric-skywalking"


@asynccontextmanager
async def open_page(chromium: Browser) -> AsyncIterator[tuple[Page, list[str]]]:
    """Yield a page of a browser without a network, and the addresses of its requests and its errors."""
    context = await chromium.new_context(offline=True)
    page, observed = await context.new_page(), []
    page.on("request", lambda request: observed.append(request.url))
    page.on("pageerror", lambda error: observed.append(f"error: {error}"))
    yield page, observed
    await context.close()


@pytest.mark.timeout(900)  # each page is opened
async def test_every_page_is_readable_without_a_network(chromium: Browser, site: Path) -> None:
    async with open_page(chromium) as (page, observed):
        for path in sorted((site / "0.1.0").rglob("*.html")):
            await page.goto(path.as_uri())
            if path.name == "404.html":
                continue
            await expect(page.locator("article h1").first).to_be_visible()
            prose = await page.locator("article :is(p, li, td)").all_inner_texts()
            assert not [text for text in prose if "```" in text or "](" in text], path

    assert [address for address in observed if not address.startswith("file:")] == []


async def test_code_below_a_numbered_step_stays_part_of_the_step(chromium: Browser, site: Path) -> None:
    """Python-Markdown would end a list at a block that is indented by three spaces, as GitHub accepts it."""
    async with open_page(chromium) as (page, _):
        await page.goto((site / "0.1.0/install.html").as_uri())
        steps = page.locator("#sidecar ~ ol").first.locator("> li")

        await expect(steps).to_have_count(5)
        await expect(steps.nth(1).locator("pre")).to_contain_text("helm upgrade --install skywalking-provider")


async def test_search_finds_a_page_without_a_network_or_web_server(chromium: Browser, site: Path) -> None:
    async with open_page(chromium) as (page, observed):
        await page.goto((site / "0.1.0/index.html").as_uri())
        await page.keyboard.press("/")
        await page.keyboard.type("failure policy")

        await expect(page.locator("a[href*='glossary.html']").last).to_be_visible()
        assert [address for address in observed if not address.startswith("file:")] == []


async def test_link_to_a_file_that_is_not_a_page_leads_to_the_repository(chromium: Browser, site: Path) -> None:
    async with open_page(chromium) as (page, _):
        await page.goto((site / "0.1.0/install.html").as_uri())
        link = page.get_by_role("link", name="examples/kustomize")

        assert await link.get_attribute("href") == f"{REPOSITORY}/tree/main/examples/kustomize"


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_menu_lists_the_versions_that_were_built(chromium: Browser, site: Path, tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0", "main"):
        shutil.copytree(site / "0.1.0", tmp_path / version)
    write_versions(tmp_path)
    context = await chromium.new_context()
    page = await context.new_page()
    with serve_folder(tmp_path) as address:
        await page.goto(address)
        await page.wait_for_url(f"{address}/0.10.0/index.html")

        await expect(page.locator(".md-version__link")).to_have_text(["0.10.0", "0.9.0", "main"])
        await context.close()
