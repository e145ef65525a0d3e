"""Adversarial trials at the edges: impossible times, responses for another window, and texts that change a terminal."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from urllib.request import urlopen

import grpc
import pytest
import yaml

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from tests.adversary.harness import HEALTHY_BLOCK, ROOT, Trial, phase_of, run_request, slow

SERVICE_NAME = HEALTHY_BLOCK["service"]
IMPOSSIBLE_TIMES = {
    "too many seconds": (10**15, 0),
    "year 1": (-62_135_596_800, 0),
    "year 9999": (253_402_300_799, 0),
    "negative nanoseconds": (1_764_000_000, -5),
    "a second of nanoseconds": (1_764_000_000, 10**9),
    "the last of int64": (2**63 - 1, 2**31 - 1),
}
IMPOSSIBLE_METADATA = (
    "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "x" * 1000,
)


@pytest.mark.adversary("W3")
def test_impossible_times_are_error_measurements_and_never_a_bug(trial: Trial) -> None:
    service = trial.start_service({"good": trial.start_mock()})
    stub = service.stub()
    healthy = run_request(HEALTHY_BLOCK, success="result >= 0.5")

    def resume(**fields: object) -> pb.Measurement:
        measurement = pb.Measurement(phase=pb.PHASE_RUNNING)
        for name, (seconds, nanos) in ((name, one) for name, one in fields.items() if isinstance(one, tuple)):
            getattr(measurement, name).seconds, getattr(measurement, name).nanos = seconds, nanos
        if "unavailable" in fields:
            measurement.metadata["skywalking/lastUnavailable"] = str(fields["unavailable"])
        # An entity that does not exist makes the measurement wait, so that its times are computed with.
        missing = run_request({**HEALTHY_BLOCK, "service": f"{SERVICE_NAME}-missing"})
        request = pb.ResumeRequest(metric=missing.metric, run=missing.run, measurement=measurement)
        response: pb.Measurement = stub.Resume(request, timeout=14.5)
        return response

    for name, (seconds, nanos) in IMPOSSIBLE_TIMES.items():
        for field in ("started_at", "created_at"):
            request = run_request({**HEALTHY_BLOCK, "since": "run"})
            getattr(request.run, field).seconds, getattr(request.run, field).nanos = seconds, nanos
            measurement = stub.Run(request, timeout=14.5)
            assert (phase_of(measurement), measurement.message.split()[0]) == ("Error", "REQUEST_INVALID"), name
        for field in ("started_at", "finished_at", "resume_at"):
            measurement = resume(**{field: (seconds, nanos)})
            assert (phase_of(measurement), measurement.message.split()[0]) == ("Error", "REQUEST_INVALID"), name
            assert measurement.HasField("finished_at")
    for text in IMPOSSIBLE_METADATA:
        measurement = resume(unavailable=text)
        assert (phase_of(measurement), measurement.message.split()[0]) == ("Error", "REQUEST_INVALID"), text

    assert phase_of(stub.Run(healthy, timeout=14.5)) == "Successful"
    assert "Traceback" not in service.log.read_text()
    assert service.metric("skywalking_analysis_measurements_total") > 0


@pytest.mark.adversary("W3")
def test_times_at_the_edges_of_the_bounds_wait_a_bounded_time(trial: Trial) -> None:
    service = trial.start_service({"away": "http://127.0.0.1:9"})
    stub = service.stub()
    block = {**HEALTHY_BLOCK, "backend": "away", "since": "run", "outageGrace": "168h"}
    for seconds in (0, 1, 7_258_118_399):  # 1970, and the last second of 2199
        request = run_request(block)
        request.run.started_at.seconds = seconds
        measurement = stub.Run(request, timeout=14.5)
        assert phase_of(measurement) == "Running", measurement.message
        assert measurement.resume_at.seconds <= measurement.started_at.seconds + 120

        measurement.started_at.seconds = seconds
        try:
            phase = phase_of(
                stub.Resume(pb.ResumeRequest(metric=request.metric, measurement=measurement), timeout=14.5)
            )
        except grpc.RpcError as error:
            pytest.fail(f"start {seconds}: {error}")
        assert phase == ("Error" if seconds > 1 else "Inconclusive")


INDICATOR = {**HEALTHY_BLOCK, "backend": "evil"}
EXPRESSION = {
    "expression": "service_cpm",
    "window": "3m",
    "service": SERVICE_NAME,
    "backend": "evil",
    "since": "window",
}
READ = 'readMetricsValues(duration: $duration, condition: {name: "service_cpm", entity: ENTITY})'
QUERY = {
    "interval": "3m",
    "query": f"query q($duration: Duration!) {{ calls: {READ} {{ values {{ values {{ value }} }} }} }}".replace(
        "ENTITY", f'{{scope: Service, serviceName: "{SERVICE_NAME}", normal: true}}'
    ),
    "backend": "evil",
}
LATEST = {**EXPRESSION, "expression": "latest(service_cpm)"}


def other_window(shift: timedelta) -> list[list[str]]:
    """Return the replacements that move the ids of the last half an hour."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    minutes = [minute + timedelta(minutes=at) for at in range(-40, 10)]
    milliseconds = [[f'"{int(one.timestamp())}000"', f'"{int((one + shift).timestamp())}000"'] for one in minutes]
    local = [[f"{one:%Y%m%d%H%M}_", f"{one + shift:%Y%m%d%H%M}_"] for one in minutes]
    return sorted(milliseconds + local, reverse=shift > timedelta(0))


@pytest.mark.adversary("W5")
@pytest.mark.parametrize(
    ("blocks", "version"), [((INDICATOR, EXPRESSION, LATEST, QUERY), "10.1.0"), slow((INDICATOR, QUERY), "9.2.0")]
)
def test_buckets_of_another_window_are_an_invalid_response(
    trial: Trial, blocks: tuple[dict[str, object], ...], version: str
) -> None:
    hostile = trial.start_hostile_oap(trial.start_mock("healthy-canary", "--oap-version", version))
    service = trial.start_service({"evil": {"url": hostile.url, "cache": {"responseTtl": "0s", "verdictTtl": "0s"}}})
    stub = service.stub()
    for block in blocks:
        hostile.behave("honest")
        assert phase_of(stub.Run(run_request(block), timeout=14.5)) == "Successful"
        for shift in (timedelta(hours=-1), timedelta(days=1), timedelta(minutes=-30)):
            hostile.behave("replace", texts=other_window(shift))
            measurement = stub.Run(run_request(block), timeout=14.5)
            assert phase_of(measurement) == "Error", measurement
            assert "OAP_RESPONSE_INVALID response is not for the requested window" in measurement.message


@pytest.mark.adversary("W5")
def test_clock_of_an_oap_that_is_a_day_off_is_named_with_the_date(trial: Trial) -> None:
    hostile = trial.start_hostile_oap(trial.start_mock())
    service = trial.start_service({"evil": {"url": hostile.url, "clockTtl": "0s", "cache": {"responseTtl": "0s"}}})
    stub = service.stub()

    def measure(offset: timedelta) -> str:
        now = datetime.now(UTC) + offset
        info = {"timezone": "+0000", "currentTimestamp": int(now.timestamp() * 1000)}
        hostile.behave("body", text=json.dumps({"data": {"getTimeInfo": info}}), only="getTimeInfo")
        measurement = stub.Run(run_request(INDICATOR, success="result < 0"), timeout=14.5)
        assert phase_of(measurement) in ("Running", "Failed"), measurement
        return str(measurement.message)

    for days, text in ((1, "1d ahead of"), (-1, "1d behind"), (3000, "3000d ahead of"), (1, "1d ahead of"), (0, "")):
        line = measure(timedelta(days=days, minutes=1 if days > 0 else -1 if days < 0 else 0))
        if text:
            assert f"the OAP's clock is {text}".removesuffix(" of") in line.replace("1m ", " ").replace("  ", " "), line
            day = datetime.now(UTC) + timedelta(days=days)
            assert f"{day:%Y-%m}" in line, line
        else:
            assert "clock" not in line, line
    assert "Traceback" not in service.log.read_text()


BIDI, SEPARATORS = "\u202e\u2066\u200b", "\u2028\u2029"
HOSTILE_TEXT = f"evil{BIDI}{SEPARATORS}\x1b[2J\x9b31m\x07"


def unprintable(output: str) -> set[str]:
    """Return the unprintable characters of an output without the escape sequences for colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", output)
    return {one for one in text if not one.isprintable() and one not in "\n\t"}


def run_at_a_terminal(*arguments: str) -> str:
    """Run a command at a terminal and return what it printed."""
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "skywalking_provider", *arguments]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=ROOT) as process:
        os.close(terminal)
        output = b""
        with contextlib.suppress(OSError):  # EIO at the end
            while part := os.read(main, 65_536):
                output += part
        process.wait(60)
    os.close(main)
    return output.decode(errors="surrogateescape").replace("\r\n", "\n")


@pytest.mark.slow
@pytest.mark.adversary("W6")
def test_texts_of_templates_and_oaps_are_printed_as_printable_text(trial: Trial) -> None:
    mock = trial.start_mock()
    hostile = trial.start_hostile_oap(mock)
    block = {"sli": "success-rate", "window": "3m", "service": SERVICE_NAME}
    metric = {
        "name": f"m{HOSTILE_TEXT}",
        "successCondition": f'string(result) != "{BIDI}{SEPARATORS}"',
        "provider": {"plugin": {"skywalking/metrics": block}},
    }
    spec = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate"}
    template = trial.folder / "template.yaml"
    template.write_text(yaml.safe_dump({**spec, "metadata": {"name": "t"}, "spec": {"metrics": [metric]}}))
    builtin = trial.folder / "builtin.yaml"
    condition = f'{{name: "service_apdex", entity: {{scope: Service, serviceName: "evil{BIDI}", normal: true}}}}'
    read = f"readMetricsValues(duration: $duration, condition: {condition}) {{ values {{ values {{ value }} }} }}"
    query = f"query q($duration: Duration!) {{ a: {read} }}"
    skywalking = {"address": "http://oap:12800", "interval": "3m", "query": query}
    old = {"name": f"m{HOSTILE_TEXT}", "provider": {"skywalking": skywalking}}
    builtin.write_text(
        yaml.safe_dump({**spec, "metadata": {"name": "t"}, "spec": {"metrics": [old]}}, allow_unicode=True)
        + f"# comment {BIDI}\n"
    )
    config = trial.folder / "config.yaml"
    config.write_text(yaml.safe_dump({"apiVersion": "v1", "backends": {"evil": {"url": hostile.url}}}))
    result = trial.folder / "result.json"
    result.write_text(
        json.dumps({"a": HOSTILE_TEXT}, ensure_ascii=False).replace("\x1b", "\\u001b").replace("\x07", "")
    )

    outputs = {}
    for kind in ("honest", "error"):
        if kind == "error":
            hostile.behave("body", text=json.dumps({"errors": [{"message": HOSTILE_TEXT}]}, ensure_ascii=False))
        for form in ("human", "wide", "json"):
            command = ("check", "-f", str(template), "--address", hostile.url, "-o", form)
            outputs[f"check -o {form}, {kind}"] = run_at_a_terminal(*command)
        for form in ("text", "json"):
            command = ("doctor", "--config", str(config), "--skip", "service", "-o", form)
            outputs[f"doctor -o {form}, {kind}"] = run_at_a_terminal(*command)
    outputs["migrate"] = run_at_a_terminal("migrate", "-f", str(builtin))
    for form in ("human", "json"):
        condition = f'result.a != "{BIDI}" and unknown'
        outputs[f"eval -o {form}"] = run_at_a_terminal("eval", "-s", condition, "-f", str(result), "-o", form)

    assert {name: unprintable(one) for name, one in outputs.items()} == {name: set() for name in outputs}
    for name in ("check -o human, honest", "check -o human, error", "migrate"):
        assert "evil\N{REPLACEMENT CHARACTER}" in outputs[name], outputs[name]


@pytest.mark.adversary("W6")
def test_query_parameters_and_console_logs_are_printable(trial: Trial) -> None:
    page_config = {"page": {"listen": "127.0.0.1:0"}}
    service = trial.launch_service({"good": trial.start_mock()}, config=page_config, log_format="console")
    service.wait_for("ready")
    page = re.search(r"page=(127\.0\.0\.1:\d+)", re.sub(r"\x1b\[[0-9;]*m", "", service.log.read_text()))
    assert page, service.log.read_text()
    text = quote(HOSTILE_TEXT)
    with urlopen(f"http://{page[1]}/?name={text}&metric={text}&namespace={text}&phase={text}", timeout=30) as response:
        body = response.read().decode()

    service.stub().Run(run_request({**HEALTHY_BLOCK, "service": HOSTILE_TEXT}, name=HOSTILE_TEXT), timeout=14.5)
    service.stub().Describe(pb.DescribeRequest(client_version=HOSTILE_TEXT), timeout=14.5)
    service.stop()

    assert unprintable(body) <= {"\N{NO-BREAK SPACE}"}
    assert "evil\N{REPLACEMENT CHARACTER}" in body
    log = service.log.read_text()
    assert not unprintable(log)
    assert "evil\N{REPLACEMENT CHARACTER}" in log
