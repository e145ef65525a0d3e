"""Each thing that can be wrong between the provider and an OAP is found, and comes with what to do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.config import BackendConfig
from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.tools.doctor.check_backend import check_backend
from skywalking_provider.tools.doctor.findings import Level, Section, doctor_exit_code

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)


async def look(oap: MockOap, **keys: Any) -> Section:
    config = BackendConfig.model_validate({"url": oap.address, "timeout": "20s"} | keys)
    return await check_backend("prod", config, NOON)


def words(section: Section) -> str:
    return "\n".join(f"{one.level} {one.message} -> {one.hint}" for one in section.findings)


async def test_an_oap_that_is_well_is_told_with_clock_version_metrics_and_services() -> None:
    async with MockOap(clock=ManualClock(NOON), timezone="+0545") as oap:
        section = await look(oap, basic={"username": "argo", "password": "password"})

    assert section.level is Level.OK, words(section)
    assert doctor_exit_code([section]) == 0
    text = words(section)
    for told in (
        "it answers (",
        "and takes our credentials",
        "zone +0545",
        "version 10.1.0",
        "metrics query expressions",
        "those of every sli among them",
        "3 services (3 MESH)",
    ):
        assert told in text


async def test_an_old_oap_is_told_with_what_it_lacks() -> None:
    async with MockOap(clock=ManualClock(NOON), version="9.2.0") as oap:
        section = await look(oap)

    assert section.level is Level.NOTE
    assert "no metrics query expressions" in words(section)
    assert "need OAP 9.5 or newer" in words(section)


async def test_a_backend_of_certain_namespaces_is_looked_at_all_the_same() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        assert (await look(oap, allowedNamespaces=["team-a"])).level is Level.OK


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, Level.OK), (-4, Level.OK), (10, Level.NOTE), (-30, Level.NOTE), (300, Level.PROBLEM)]
)
async def test_a_clock_that_is_wrong_is_told_with_how_much(seconds: int, level: Level) -> None:
    async with MockOap(clock=ManualClock(NOON + timedelta(seconds=seconds))) as oap:
        section = await look(oap)

    assert section.level is level
    assert f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} ours" in words(section)
    assert ("NTP" in words(section)) == (level is not Level.OK)


async def test_a_zone_that_is_not_the_oaps_is_a_problem() -> None:
    async with MockOap(clock=ManualClock(NOON), timezone="+0800") as oap:
        section = await look(oap, timezone="Europe/Berlin")

    assert section.level is Level.PROBLEM
    assert "timezone: Europe/Berlin is not the OAP's" in words(section)


async def test_an_oap_in_which_nothing_is_yet_is_no_problem_but_told() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.respond_with('{"data": {"services": []}}', match="listServices")
        oap.respond_with('{"data": {"metrics": []}}', match="listMetrics")
        section = await look(oap)

    assert (section.level, doctor_exit_code([section])) == (Level.NOTE, 0)
    assert "it knows no metric yet" in words(section)
    assert "it knows no service yet -> does anything report to it?" in words(section)


async def test_indicators_that_the_oap_lacks_are_named() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.respond_with(
            '{"data": {"metrics": [{"name": "service_cpm"}, {"name": "service_sla"}]}}', match="listMetrics"
        )
        section = await look(oap)

    assert "2 metrics, but none for apdex, latency" in words(section)


async def test_an_oap_that_hides_its_version_is_asked_for_the_rest() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.respond_with('{"errors": [{"message": "no"}]}', match="version")
        section = await look(oap)

    assert "version unknown: metrics query expressions" in words(section)
    assert "3 services" in words(section)


@pytest.mark.parametrize(
    ("fault", "what", "remedy"),
    [
        ({"kind": "status", "status": 401}, "responded 401", "Check the credentials of backends.prod"),
        ({"kind": "status", "status": 403}, "responded 403", "Check the credentials of backends.prod"),
        ({"kind": "status", "status": 404}, "responded 404", "to the base URL of OAP's REST port"),
        ({"kind": "status", "status": 503}, "responded 503", "is it running"),
        ({"kind": "redirect"}, "responded 302", "Write the final address into backends.prod.url"),
        ({"kind": "html"}, "response is not GraphQL", "Check for a proxy or a login page"),
        ({"kind": "hang"}, "did not respond within", "is it running"),
        ({"kind": "reset"}, "cannot be reached", "is it running"),
        ({"kind": "response", "body": '{"data": {"getTimeInfo": 1}}'}, "getTimeInfo", "is the backend a SkyW"),
    ],
    ids=lambda part: part.get("kind") if isinstance(part, dict) else None,
)
async def test_an_oap_that_does_not_answer_as_one_is_unreachable(fault: dict[str, Any], what: str, remedy: str) -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.add_fault(**fault)
        section = await look(oap, **({"timeout": "500ms"} if fault["kind"] == "hang" else {}))

    assert (section.level, doctor_exit_code([section])) == (Level.UNREACHABLE, 3)
    assert what in words(section)
    assert remedy in words(section)


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("http://127.0.0.1:9", "may this pod reach it (NetworkPolicy)?"),
        ("http://no-such-name.invalid:12800", "is the name right?"),
    ],
)
async def test_an_oap_that_is_not_there_is_unreachable(url: str, remedy: str) -> None:
    section = await check_backend("prod", BackendConfig.model_validate({"url": url}))

    assert doctor_exit_code([section]) == 3
    assert remedy in words(section)


async def test_what_was_found_before_a_trouble_is_kept() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.add_fault("status", status=503, match="listMetrics")
        section = await look(oap)

    assert [one.level for one in section.findings] == [Level.OK, Level.OK, Level.OK, Level.UNREACHABLE]
