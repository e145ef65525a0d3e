"""Alarms of a measurement on the history page: its facts list them."""

from datetime import timedelta

from skywalking_provider.history.filter import HistoryFilter
from skywalking_provider.history.store import History
from skywalking_provider.history.view import HistoryView
from skywalking_provider.mock_oap import ManualClock
from skywalking_provider.model import Phase
from tests.history.harness import CANARY, NOON, build_metric, build_run, open_history_harness

BLOCK = {"alarms": {}, "window": "6m", "service": CANARY}


async def test_failed_measurement_lists_its_alarms_and_the_message() -> None:
    clock = ManualClock(NOON)
    history = History(10, clock)
    async with open_history_harness(history.add, clock, "alarming-canary") as harness:
        clock.set(NOON + timedelta(minutes=20))
        await harness.measure(build_metric("alarms", "", BLOCK), build_run("reviews"))
    (entry,) = history.find(HistoryFilter(), 10)
    page = "".join(HistoryView(["prod"], 10).render(history, HistoryFilter(), clock()))

    assert entry.phase is Phase.FAILED
    assert entry.summary == "2 alarms fired, 1 firing"
    alarms = [text for title, text in entry.facts if title == "Alarm"]
    text = f"service_sla_rule: Successful rate of service {CANARY} is lower than 95% in 2 minutes of last 10 minutes"
    assert alarms == [f"12:17:20 firing · {text}", f"12:13:20 fired · {text}"]
    assert alarms[0] in page
    assert "ALARM_FIRED" in page
