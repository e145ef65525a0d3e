"""Untrusted texts in a real browser are shown as text and never run as script."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser, expect

from skywalking_provider.analysis.events import MeasurementDetails
from skywalking_provider.history.store import History
from skywalking_provider.mock_oap import ManualClock
from skywalking_provider.model import Phase, Run, Window
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series
from tests.history.browser import open_history_page
from tests.history.harness import NOON, build_event

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
async def test_untrusted_texts_do_not_become_markup(
    chromium: Browser, history: History, clock: ManualClock, attack: str
) -> None:
    window = Window(NOON.replace(second=0), NOON.replace(second=0) + timedelta(minutes=2))
    sample = Sample({}, attack, (), chart_series=(Series(attack, (1, attack)), Series(attack, (attack,))))
    requests = (
        GraphqlRequest(f"query {{ {attack} }}", {attack: attack}),
        GraphqlRequest("query q { a }", {"v": attack}),
    )
    details = MeasurementDetails(attack, attack, attack, window, requests, sample, attack)
    run = Run(attack, attack, labels={"rollout-type": attack}, owner_kind="Rollout", owner_name=attack)
    history.add(build_event(phase=Phase.FAILED, name=attack, run=run, message=attack, value=attack, details=details))
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.open()
        for summary in await history_page.page.locator("summary").all():
            await summary.click()
        await history_page.page.select_option("#metric", index=1)
        await expect(history_page.page.locator("details.entry")).to_have_count(1)
        await history_page.page.reload()

        assert await history_page.page.locator("script").count() == 1
        assert await history_page.page.locator("main img, iframe, svg[onload], main b b").count() == 0
        visible = await history_page.page.locator(".metric").text_content()
        assert visible == attack.replace("\u0000", "\ufffd").replace("\u202e", "\ufffd")
        assert history_page.browser_errors == []


async def test_script_in_the_address_stays_text(chromium: Browser, history: History, clock: ManualClock) -> None:
    history.add(build_event())
    async with open_history_page(chromium, history, clock) as history_page:
        await history_page.open(
            "/?name=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&metric=%3Cimg%20src=x%20onerror=alert(1)%3E"
        )

        assert await history_page.page.input_value("#name") == '"><script>alert(1)</script>'
        assert await history_page.page.locator("script").count() == 1
        assert history_page.browser_errors == []
