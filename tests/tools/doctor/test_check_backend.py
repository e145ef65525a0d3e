"""Checks of a backend: each problem is found and has a hint."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.config import BackendConfig
from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.mock_oap.versions import AlarmApi
from skywalking_provider.tools.doctor.check_backend import check_backend
from skywalking_provider.tools.doctor.findings import Level, Section, doctor_exit_code

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)


async def check(oap: MockOap, **keys: Any) -> Section:
    config = BackendConfig.model_validate({"url": oap.address, "timeout": "20s"} | keys)
    return await check_backend("prod", config, NOON)


def format_section(section: Section) -> str:
    return "\n".join(f"{one.level} {one.message} -> {one.hint}" for one in section.findings)


async def test_check_backend_healthy_oap_reports_clock_version_metrics_and_services() -> None:
    async with MockOap(clock=ManualClock(NOON), timezone="+0545") as oap:
        section = await check(oap, basic={"username": "argo", "password": "password"})

    assert section.level is Level.OK, format_section(section)
    assert doctor_exit_code([section]) == 0
    text = format_section(section)
    for part in (
        "it responds (",
        "and accepts the credentials",
        "time zone +0545",
        "version 10.1.0",
        "supports expressions and absent minutes",
        "including those of every sli",
        "3 services (3 MESH)",
    ):
        assert part in text


async def test_check_backend_oap_before_9_5_is_a_note_about_missing_features() -> None:
    async with MockOap(clock=ManualClock(NOON), version="9.2.0") as oap:
        section = await check(oap)

    assert section.level is Level.NOTE
    assert "before 9.5, no expressions" in format_section(section)
    assert "need OAP 9.5 or newer" in format_section(section)


async def test_check_backend_oap_10_4_reports_its_ttl_and_the_recovery_of_alarms() -> None:
    async with MockOap(clock=ManualClock(NOON), version="10.4.0") as oap:
        section = await check(oap)

    assert section.level is Level.OK, format_section(section)
    for part in ("version 10.4.0", "it keeps minutes for 7 days (TTL)", "and reports the recovery"):
        assert part in format_section(section)


async def test_check_backend_oap_before_10_3_has_no_finding_about_the_ttl() -> None:
    async with MockOap(clock=ManualClock(NOON), version="10.1.0") as oap:
        assert "TTL" not in format_section(await check(oap))


@pytest.mark.parametrize(
    ("api", "message"),
    [
        (AlarmApi.GET_ALARM, "it reports the rule only in the message or a tag, and reports no recovery"),
        (AlarmApi.RECOVERY, "it reports the rule only in the message or a tag, and reports the recovery"),
        (AlarmApi.QUERY_ALARMS, "it selects them by rule, and reports the recovery"),
    ],
)
async def test_check_backend_reports_what_the_oap_has_about_alarms(api: AlarmApi, message: str) -> None:
    async with MockOap(clock=ManualClock(NOON), alarm_api=api) as oap:
        section = await check(oap)

    assert section.level is Level.OK
    assert f"blocks of alarms: {message}" in format_section(section)


async def test_check_backend_restricted_to_namespaces_is_checked() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        assert (await check(oap, allowedNamespaces=["team-a"])).level is Level.OK


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, Level.OK), (-4, Level.OK), (10, Level.NOTE), (-30, Level.NOTE), (300, Level.PROBLEM)]
)
async def test_check_backend_clock_offset_is_reported_with_its_size(seconds: int, level: Level) -> None:
    async with MockOap(clock=ManualClock(NOON + timedelta(seconds=seconds))) as oap:
        section = await check(oap)

    assert section.level is level
    assert f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} the local clock" in format_section(section)
    assert ("NTP" in format_section(section)) == (level is not Level.OK)


async def test_check_backend_other_time_zone_than_configured_is_a_problem() -> None:
    async with MockOap(clock=ManualClock(NOON), timezone="+0800") as oap:
        section = await check(oap, timezone="Europe/Berlin")

    assert section.level is Level.PROBLEM
    assert "timezone: Europe/Berlin is not that of the OAP" in format_section(section)


async def test_check_backend_empty_oap_is_a_note() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.respond_with('{"data": {"services": []}}', match="listServices")
        oap.respond_with('{"data": {"metrics": []}}', match="listMetrics")
        section = await check(oap)

    assert (section.level, doctor_exit_code([section])) == (Level.NOTE, 0)
    assert "it has no metrics yet" in format_section(section)
    assert "it has no services yet -> Check that agents or Istio report to it" in format_section(section)


async def test_check_backend_missing_metrics_names_the_indicators() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.respond_with(
            '{"data": {"metrics": [{"name": "service_cpm"}, {"name": "service_sla"}]}}', match="listMetrics"
        )
        section = await check(oap)

    assert "2 metrics, but none for apdex, latency" in format_section(section)


async def test_check_backend_missing_metrics_of_instances_are_noted() -> None:
    listed = [
        "service_cpm",
        *("service_sla", "service_apdex", "service_resp_time", "service_percentile"),
        "service_instance_cpm",
    ]
    async with MockOap(clock=ManualClock(NOON)) as oap:
        metrics = ", ".join(f'{{"name": "{name}"}}' for name in listed)
        oap.respond_with(f'{{"data": {{"metrics": [{metrics}]}}}}', match="listMetrics")
        section = await check(oap)

    assert "6 metrics, including those of every sli" in format_section(section)
    assert (
        "it has no service_instance_sla, service_instance_resp_time, which blocks with instances need, such as judged"
        " ones by podTemplateHash -> Define them in OAL, as OAP's core.oal does"
    ) in format_section(section)


async def test_check_backend_https_url_of_a_plain_port_names_http() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        config = BackendConfig(url=oap.address.replace("http:", "https:"))
        section = await check_backend("prod", config, NOON)

    assert "its port does not speak TLS, but plain HTTP -> Write http:// in backends.prod.url" in format_section(
        section
    )


async def test_check_backend_counts_one_metric_and_one_service_in_the_singular() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        service = '{"id": "YQ==.1", "name": "a", "layers": ["MESH"], "normal": true}'
        oap.respond_with(f'{{"data": {{"services": [{service}]}}}}', match="listServices")
        oap.respond_with('{"data": {"metrics": [{"name": "service_cpm"}]}}', match="listMetrics")
        section = await check(oap)

    assert "1 metric, but none for" in format_section(section)
    assert "1 service (1 MESH)" in format_section(section)


async def test_check_backend_unknown_version_continues_with_the_other_checks() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.respond_with('{"errors": [{"message": "no"}]}', match="version")
        section = await check(oap)

    assert "version unknown: supports expressions" in format_section(section)
    assert "3 services" in format_section(section)


@pytest.mark.parametrize(
    ("fault", "message", "hint"),
    [
        ({"kind": "status", "status": 401}, "responded 401", "Check the credentials of backends.prod"),
        ({"kind": "status", "status": 403}, "responded 403", "Check the credentials of backends.prod"),
        ({"kind": "status", "status": 404}, "responded 404", "to the base URL of OAP's REST port"),
        ({"kind": "status", "status": 503}, "responded 503", "Check that it runs"),
        ({"kind": "redirect"}, "responded 302", "Write the final address into backends.prod.url"),
        ({"kind": "html"}, "response is not GraphQL", "Check for a proxy or a login page"),
        ({"kind": "hang"}, "did not respond within", "Check that it runs"),
        (
            {"kind": "reset"},
            "cannot be reached",
            "https:// in backends.prod.url if the port speaks TLS; otherwise check that",
        ),
        (
            {"kind": "response", "body": '{"data": {"getTimeInfo": 1}}'},
            "getTimeInfo",
            "Check that the backend is a SkyWalking OAP",
        ),
    ],
    ids=lambda part: part.get("kind") if isinstance(part, dict) else None,
)
async def test_check_backend_other_response_than_of_an_oap_is_unreachable(
    fault: dict[str, Any], message: str, hint: str
) -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.add_fault(**fault)
        section = await check(oap, **({"timeout": "500ms"} if fault["kind"] == "hang" else {}))

    assert (section.level, doctor_exit_code([section])) == (Level.UNREACHABLE, 3)
    assert message in format_section(section)
    assert hint in format_section(section)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://127.0.0.1:9", "that no NetworkPolicy blocks it"),
        ("http://no-such-name.invalid:12800", "Check the name"),
    ],
)
async def test_check_backend_without_connection_is_unreachable_with_a_hint(url: str, hint: str) -> None:
    section = await check_backend("prod", BackendConfig.model_validate({"url": url}))

    assert doctor_exit_code([section]) == 3
    assert hint in format_section(section)


async def test_check_backend_error_keeps_earlier_findings() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.add_fault("status", status=503, match="listMetrics")
        section = await check(oap)

    assert [one.level for one in section.findings] == [Level.OK, Level.OK, Level.OK, Level.UNREACHABLE]


async def test_check_backend_enabled_events_are_checked_with_an_empty_report() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        off, on = await check(oap), await check(oap, events={"enabled": True})
        reports = [one.body for one in oap.requests if one.path == "/v3/events"]

    assert "events" not in format_section(off)
    assert "ok it accepts events over HTTP" in format_section(on)
    assert reports == ["[]"]


async def test_check_backend_without_an_event_api_is_a_problem_with_a_hint() -> None:
    async with MockOap(clock=ManualClock(NOON)) as oap:
        oap.add_fault("status", status=404, match="[]")
        http = await check(oap, events={"enabled": True})
        oap.clear_faults()
        grpc = await check(oap, events={"enabled": True, "address": "127.0.0.1:9"})

    assert http.level is grpc.level is Level.PROBLEM
    assert "Enable OAP's module receiver-event" in format_section(http)
    assert "the event API of backend prod at 127.0.0.1:9" in format_section(grpc)
    assert "Check backends.prod.events" in format_section(grpc)
