"""Texts from outside in a real browser: they stay texts, and nothing of them runs as a script."""

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
async def test_nothing_that_comes_from_outside_becomes_markup(
    chromium: Browser, history: History, clock: ManualClock, attack: str
) -> None:
    window = Window(NOON.replace(second=0), NOON.replace(second=0) + timedelta(minutes=2))
    sample = Sample({}, attack, (), chart_series=(Series(attack, (1, attack)), Series(attack, (attack,))))
    reads = (GraphqlRequest(f"query {{ {attack} }}", {attack: attack}), GraphqlRequest("query q { a }", {"v": attack}))
    trail = MeasurementDetails(attack, attack, attack, window, reads, sample, attack)
    whose = Run(attack, attack, labels={"rollout-type": attack}, owner_kind="Rollout", owner_name=attack)
    history.add(build_event(phase=Phase.FAILED, name=attack, run=whose, message=attack, value=attack, details=trail))
    async with open_history_page(chromium, history, clock) as visitor:
        await visitor.open()
        for summary in await visitor.page.locator("summary").all():
            await summary.click()
        await visitor.page.select_option("#metric", index=1)
        await expect(visitor.page.locator("details.entry")).to_have_count(1)
        await visitor.page.reload()

        assert await visitor.page.locator("script").count() == 1
        assert await visitor.page.locator("main img, iframe, svg[onload], main b b").count() == 0
        visible = await visitor.page.locator(".metric").text_content()
        assert visible == attack.replace("\u0000", "\ufffd").replace("\u202e", "\ufffd")
        assert visitor.browser_errors == []


async def test_an_attack_in_the_address_stays_a_word(chromium: Browser, history: History, clock: ManualClock) -> None:
    history.add(build_event())
    async with open_history_page(chromium, history, clock) as visitor:
        await visitor.open("/?name=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&metric=%3Cimg%20src=x%20onerror=alert(1)%3E")

        assert await visitor.page.input_value("#name") == '"><script>alert(1)</script>'
        assert await visitor.page.locator("script").count() == 1
        assert visitor.browser_errors == []
