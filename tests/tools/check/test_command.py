"""Tests of `skywalking-provider check` at a terminal and in a pipeline."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tools.check.harness import (
    CANARY,
    DATA,
    PLUGIN,
    build_indicator_metric,
    build_judged_metric,
    build_template,
    run_check,
    start_oap_at_noon,
)

KEYS = [
    "file", "kind", "template", "metric", "provider", "phase", "reason", "message", "value", "result",
    "assumedStart", "judgement", "alarms", "cause", "conditions",
    "window", "series", "calls", "backend", "requests", "resumeAt", "elapsedMs", "dryRun", "notes", "exitCode",
]  # fmt: skip


def golden(name: str, output: str) -> None:
    """Compare an output with its golden file. UPDATE_GOLDEN=1 writes the file; read it before committing."""
    path = DATA / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(output, encoding="utf-8")
    assert output == path.read_text(encoding="utf-8")


async def test_check_failing_canary_prints_request_buckets_condition_and_verdict() -> None:
    async with start_oap_at_noon() as oap:
        done = await run_check(
            "-f", "reviews.yaml", "--address", oap.address, "-a", "canary-hash=6c85f7bf4", folder=DATA
        )

    assert (done.exit_code, done.stderr) == (1, "")
    golden("reviews", done.normalized_stdout)


@pytest.mark.parametrize(("scenario", "exit_code"), [("judged-bad", 1), ("judged-thin", 4)])
async def test_check_judged_block_prints_assumed_start_minutes_evidence_and_finding(
    scenario: str, exit_code: int
) -> None:
    async with start_oap_at_noon(scenario) as oap:
        done = await run_check("-f", "-", "--address", oap.address, stdin=build_template(build_judged_metric()))

    assert (done.exit_code, done.stderr) == (exit_code, "")
    golden(scenario, done.normalized_stdout)


async def test_check_json_output_of_a_judged_block_has_the_minutes_and_the_finding() -> None:
    metrics = [build_judged_metric(), build_indicator_metric(name="threshold")]
    async with start_oap_at_noon("judged-thin") as oap:
        done = await run_check("-f", "-", "-o", "json", "--address", oap.address, stdin=build_template(*metrics))

    judged, threshold = done.json_objects
    judgement = judged["judgement"]
    assert list(judged) == KEYS
    assert judged["assumedStart"].startswith("2026-11-24T11:30:")
    assert judgement["explanation"].startswith("Nothing is found yet.")
    assert (judgement["finding"], judgement["minutesToFine"]) == ("open", 73)
    assert judgement["needed"] == {"worse": pytest.approx(1000), "fine": pytest.approx(20)}
    assert len(judgement["minutes"]) == judged["window"]["buckets"] == 28
    assert judgement["minutes"][0] | {"worse": 0, "fine": 0} == {
        "time": "2026-11-24T11:31:00+00:00", "canary": 1.0, "stable": 1.0, "tolerated": 0.999,
        "calls": {"canary": 6, "stable": 54}, "worse": 0, "fine": 0,
    }  # fmt: skip
    assert judgement["minutes"][-1]["fine"] == pytest.approx(judged["result"]["evidence"]["fine"], rel=1e-5)
    assert (threshold["assumedStart"], threshold["judgement"]) == (None, None)


async def test_check_block_of_alarms_lists_them_with_their_states() -> None:
    block = {"alarms": {}, "window": "6m", "service": "reviews.bookinfo", "instances": {"podTemplateHash": "6c85f7bf4"}}
    metric = {"name": "alarms", "provider": {"plugin": {PLUGIN: block}}}
    async with start_oap_at_noon("alarming-canary") as oap:
        text = await run_check("-f", "-", "--address", oap.address, stdin=build_template(metric))
        data = await run_check("-f", "-", "-o", "json", "--address", oap.address, stdin=build_template(metric))

    assert (text.exit_code, text.stderr) == (1, "")
    golden("alarms", text.normalized_stdout.replace("2026-11-24 1", "1"))
    (one,) = data.json_objects
    assert list(one) == KEYS
    assert {key: one["alarms"][0][key] for key in ("state", "rule", "text")} == {
        "state": "firing",
        "rule": "service_instance_sla_rule",
        "text": "Alarm caused by Rule service_instance_sla_rule",
    }
    assert not any("no condition" in note for note in one["notes"])


async def test_check_wide_output_prints_absent_minutes_in_oap_zone_and_raw_response() -> None:
    async with start_oap_at_noon("idle-minutes", timezone="+0545") as oap:
        text = build_template(build_indicator_metric("result > 0.5", service=CANARY, window="6m"))
        done = await run_check("-f", "-", "-o", "wide", "--address", oap.address, stdin=text)

    assert (done.exit_code, done.stderr) == (0, "")
    golden("idle-wide", done.normalized_stdout)


@pytest.mark.parametrize("value", ["{{args.subset}}|reviews|bookinfo|cluster-1|-", "{{ args.subset }}", "{{inputs.x}}"])
async def test_check_argument_in_the_value_of_an_argument_is_an_error_at_once(value: str) -> None:
    text = build_template(
        build_indicator_metric(service="{{args.service}}"),
        args=[{"name": "subset", "value": "canary"}, {"name": "service", "value": value}],
    )
    async with start_oap_at_noon() as oap:
        done = await run_check("-f", "-", "--address", oap.address, stdin=text)

    assert done.exit_code == 2
    assert f"BLOCK_INVALID the block of the metric is invalid: service: {value.partition('|')[0]} was not" in (
        " ".join(done.normalized_stdout.split())
    )


async def test_check_outage_exits_with_three_and_prints_resume_time() -> None:
    async with start_oap_at_noon() as oap:
        oap.add_fault("status", status=503)
        done = await run_check("-f", "-", "--address", oap.address, stdin=build_template(build_indicator_metric()))

    assert done.exit_code == 3
    golden("outage", done.normalized_stdout)


async def test_check_unreachable_oap_exits_with_three() -> None:
    async with start_oap_at_noon() as oap:
        address = oap.address
    done = await run_check("-f", "-", "--address", address, stdin=build_template(build_indicator_metric()))

    assert done.exit_code == 3
    assert "cannot be reached" in done.stdout


async def test_check_pending_measurement_exits_with_four_without_waiting() -> None:
    async with start_oap_at_noon() as oap:
        done = await run_check(
            "-f", "-", "--address", oap.address, stdin=build_template(build_indicator_metric(service="review.bookinfo"))
        )

    assert done.exit_code == 4
    golden("unknown", done.normalized_stdout)


async def test_check_notes_a_clock_that_differs_by_a_minute_or_more() -> None:
    async with start_oap_at_noon() as oap:  # its clock stands still
        done = await run_check(
            *("-f", "-", "--address", oap.address, "-o", "json"),
            stdin=build_template(build_indicator_metric("result > 0.5")),
        )

    (note,) = done.json_objects[0]["notes"]
    assert note.startswith("the clock of backend default is ")
    assert note.endswith(" behind the provider's. Synchronize the clocks by NTP: windows use both")


async def test_check_invalid_block_exits_with_two_and_names_key() -> None:
    async with start_oap_at_noon() as oap:
        done = await run_check(
            "-f", "-", "--address", oap.address, stdin=build_template(build_indicator_metric(windo="5m"))
        )

    assert done.exit_code == 2
    assert "Did you mean window?" in done.stdout


async def test_check_several_metrics_exits_with_worst_and_metric_option_selects() -> None:
    text = build_template(
        build_indicator_metric("result > 0.5", name="good"), build_indicator_metric("result > 0.99", name="bad")
    )
    async with start_oap_at_noon() as oap:
        both = await run_check("-f", "-", "--address", oap.address, stdin=text)
        good = await run_check("-f", "-", "--address", oap.address, "-m", "good", stdin=text)

    assert (both.exit_code, good.exit_code) == (1, 0)
    assert both.stdout.splitlines()[-1] == "✔ 1 Successful · ✖ 1 Failed"


async def test_check_json_output_has_same_keys_for_every_metric() -> None:
    metrics = [
        build_indicator_metric(),
        build_indicator_metric(name="typo", windo="5m"),
        {"name": "up", "provider": {"prometheus": {}}},
    ]
    async with start_oap_at_noon() as oap:
        done = await run_check("-f", "-", "-o", "json", "--address", oap.address, stdin=build_template(*metrics))

    measured, typo = done.json_objects
    assert list(measured) == list(typo) == KEYS
    assert measured["conditions"] == [
        {"kind": "success", "text": "result >= 0.99", "language": "expr", "holds": False, "error": None}
    ]
    assert measured["window"] == {
        "start": "2026-11-24T11:54:00+00:00", "end": "2026-11-24T11:59:00+00:00", "buckets": 5,
    }  # fmt: skip
    assert measured["series"][0]["buckets"][0] == {"time": "2026-11-24T11:54:00+00:00", "value": 0.98}
    assert (measured["phase"], measured["reason"], measured["exitCode"]) == ("Failed", "CONDITION_NOT_MET", 1)
    assert measured["requests"][-1]["variables"]["duration"]["step"] == "MINUTE"
    assert (typo["backend"], typo["window"], typo["requests"]) == (None, None, [])
    assert "up: skipped, it uses the provider prometheus" in done.stderr


async def test_check_json_keys_match_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "check.md").read_text(encoding="utf-8")

    rows = [line.split("|")[1].strip(" `") for line in text.splitlines() if line.startswith("| `")]
    assert [key for key in rows if key in KEYS] == KEYS


async def test_check_backends_are_selected_from_configuration_by_name_and_address(tmp_path: Path) -> None:
    text = build_template(
        build_indicator_metric("result > 0.5", backend="prod"),
        build_indicator_metric("result > 0.5", name="b", address="http://oap:12800"),
    )
    async with start_oap_at_noon() as oap:
        backends = {"prod": {"url": oap.address, "aliases": ["http://oap:12800"]}, "other": {"url": "http://other"}}
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump({"backends": backends}))
        by_flag = await run_check("-f", "-", "-o", "json", "--config", str(file), stdin=text)
        by_environment = await run_check("-f", "-", "-o", "json", stdin=text, SWP_CONFIG_FILE=str(file))
        by_address = await run_check(
            "-f", "-", "-o", "json", "--address", oap.address, stdin=text, SWP_CONFIG_FILE=str(file)
        )

    for done, name in ((by_flag, "prod"), (by_environment, "prod"), (by_address, "default")):
        assert [one["backend"]["name"] for one in done.json_objects] == [name] * 2
        assert done.exit_code == 0


async def test_check_credentials_from_environment_are_sent_and_never_printed() -> None:
    async with start_oap_at_noon() as oap:
        done = await run_check(
            *("-f", "-", "-o", "json", "--address", oap.address),
            stdin=build_template(build_indicator_metric()),
            SWP_BACKENDS__DEFAULT__BEARER__TOKEN="hush-hush",  # noqa: S106 - a test's
        )
        assert all(request.headers["Authorization"] == "Bearer hush-hush" for request in oap.requests)

    assert done.exit_code == 1
    assert "hush" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "text", "expected"),
    [
        (["-f", "no/such.yaml"], "", "no/such.yaml: cannot be read (No such file or directory)"),
        (["-f", "-"], "a: [", "stdin:1: is not YAML"),
        (
            ["-f", "-"],
            build_template(build_indicator_metric(service="{{args.hash}}"), args=[{"name": "hash"}]),
            "argument without a value: hash. Set it: -a hash=…",
        ),
        (
            ["-f", "-", "-m", "x"],
            build_template(build_indicator_metric()),
            "--metric x: not in any template. Known metrics: success-rate.",
        ),
        (["-f", "-"], build_template(build_indicator_metric()), ", or set --address"),
        (
            ["-f", "-", "--address", "oap"],
            build_template(build_indicator_metric()),
            "is not an http:// or https:// URL",
        ),
        (
            ["-f", "-", "--address", "http://oap", "-c", "x"],
            build_template(build_indicator_metric()),
            "cannot be combined with --config",
        ),
        (
            ["-f", "-"],
            build_template({"name": "up", "provider": {"web": {"url": "http://a"}}}),
            "no metric uses the plugin skywalking/metrics",
        ),
        ([], "", "Missing option"),
    ],
)
async def test_check_wrong_usage_exits_with_two_before_any_request(
    arguments: list[str], text: str, expected: str
) -> None:
    done = await run_check(*arguments, stdin=text)

    assert done.exit_code == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def at_a_terminal(*arguments: str, **environment: str) -> str:
    """Return the output at a terminal of 100 columns."""
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "skywalking_provider", "check", *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=DATA,
        env=os.environ | {"COLUMNS": "100", "TERM": "xterm-256color"} | environment,
    ) as process:
        os.close(terminal)
        shown = bytearray()
        while True:
            try:
                part = os.read(controller, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(controller)
    assert process.returncode == 3
    return shown.decode()


def test_check_colours_are_printed_at_terminals_unless_disabled() -> None:
    unreachable = ("-f", "reviews.yaml", "--address", "http://127.0.0.1:9", "-a", "canary-hash=6c85f7bf4")

    coloured = at_a_terminal(*unreachable)
    plain = at_a_terminal(*unreachable, NO_COLOR="1")

    assert "\x1b[36m" in coloured
    assert "\x1b[36m" not in plain
    assert (
        max(
            len(line)
            for line in plain.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "").splitlines()
        )
        <= 100
    )


async def test_check_control_characters_in_response_are_not_printed() -> None:
    evil = {"data": {"services": [{"id": "a", "name": "re\x1b[2Jviews", "layers": ["MESH"], "normal": True}]}}
    async with start_oap_at_noon() as oap:
        oap.respond_with(json.dumps(evil), match="listServices")
        done = await run_check(
            "-f",
            "-",
            "-o",
            "wide",
            "--address",
            oap.address,
            stdin=build_template(build_indicator_metric(service="reviews")),
        )

    assert done.exit_code == 4
    assert "\x1b" not in done.stdout


def test_check_help_lists_exit_codes() -> None:
    done: Any = subprocess.run(
        [sys.executable, "-m", "skywalking_provider", "check", "--help"], capture_output=True, text=True, check=True
    )

    assert "1 Failed, 2 Error or wrong usage, 3 OAP unavailable" in " ".join(done.stdout.split())
