"""The command `skywalking-provider doctor`, its text and its JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from skywalking_provider.cli import app
from skywalking_provider.config import Config
from skywalking_provider.tools.doctor.check_config import check_config
from skywalking_provider.tools.doctor.findings import Level

NOWHERE = "http://127.0.0.1:9"


def doctor(folder: Path, content: object, *arguments: str) -> Result:
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(content))
    return CliRunner().invoke(app, ["doctor", "--config", str(file), *arguments])


def config_findings(**keys: Any) -> str:
    config = Config.model_validate({"backends": {"prod": {"url": NOWHERE}}} | keys)
    section = check_config(config, "config.yaml")
    return "\n".join(f"{one.level} {one.message} -> {one.hint}" for one in section.findings)


def backend(**keys: Any) -> dict[str, Any]:
    return {"backends": {"prod": {"url": NOWHERE} | keys}}


def test_doctor_unreadable_configuration_exits_2_with_all_findings(tmp_path: Path) -> None:
    result = doctor(tmp_path, {"backends": {"prod": {"urll": "x"}}, "sockett": 1})

    assert result.exit_code == 2
    assert "unknown key. Did you mean url?" in result.output
    assert "sockett: unknown key. Did you mean socket?" in result.output


def test_doctor_unreachable_backend_determines_the_exit_code(tmp_path: Path) -> None:
    content = {"socket": str(tmp_path / "p.sock"), "backends": {"prod": {"url": NOWHERE}}}

    unreachable = doctor(tmp_path, content)
    skipped = doctor(tmp_path, content, "--skip", "backends")
    nothing = doctor(tmp_path, content, "--skip", "backends", "--skip", "service")

    assert [unreachable.exit_code, skipped.exit_code, nothing.exit_code] == [3, 1, 0]
    assert "✖ backend prod http://127.0.0.1:9" in unreachable.output
    assert "2 problems" in unreachable.output
    assert nothing.output.endswith("no problems\n")


def test_doctor_service_requiring_a_certificate_is_reported_as_not_checked(tmp_path: Path) -> None:
    tls = {"certFile": "/no/crt", "keyFile": "/no/key", "clientCaFile": "/no/ca", "allowedIdentities": ["bridge"]}
    content = {"listen": "127.0.0.1:9500", "tls": tls} | backend()

    checked = doctor(tmp_path, content, "--skip", "backends")
    skipped = doctor(tmp_path, content, "--skip", "backends", "--skip", "service")

    assert "not checked: it serves only clients with a certificate" in checked.output
    assert "not checked" not in skipped.output


def test_doctor_json_has_all_findings_and_the_exit_code(tmp_path: Path) -> None:
    result = doctor(tmp_path, {"socket": str(tmp_path / "p.sock")} | backend(), "-o", "json")

    report = json.loads(result.output)
    assert report["exitCode"] == result.exit_code == 3
    assert [section["area"] for section in report["sections"]] == ["configuration", "service", "backend"]
    assert report["sections"][1]["findings"] == [
        {
            "level": "problem",
            "message": "the socket does not exist",
            "hint": "Start it: skywalking-provider serve --config FILE",
        }
    ]


def test_doctor_without_a_terminal_prints_no_colours(tmp_path: Path) -> None:
    assert "\x1b[" not in doctor(tmp_path, backend()).output


@pytest.mark.parametrize(
    "arguments",
    [["--tls-ca", "a"], ["--tls-ca", "a", "--tls-cert", "b", "--tls-key", "c"], ["--socket", "/a", "--address", "b:1"]],
)
def test_doctor_conflicting_flags_exit_2(tmp_path: Path, arguments: list[str]) -> None:
    assert doctor(tmp_path, backend(), *arguments).exit_code == 2


def test_doctor_credentials_are_redacted(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("pl4nted-token")
    content = backend(bearer={"tokenFile": str(tmp_path / "token")}, url="http://pl4nted-token.example.org")

    result = doctor(tmp_path, content, "-o", "json")

    assert "pl4nted" not in result.output
    assert "********" in result.output


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "note neither socket nor listen is set"),
        ({"socket": "/no/such/folder/p.sock"}, "problem socket: folder /no/such/folder does not exist"),
        ({"listen": "0.0.0.0:1"}, "problem listen: '0.0.0.0:1' is open to other machines"),
        ({"listen": "0.0.0.0:1", "insecure": True}, "note 0.0.0.0:1 serves every client that reaches it"),
        (
            {"http": {"bridges": "/no/such"}},
            "problem http.bridges: there is no <version>/<os>-<arch>/",
        ),
        (backend(bearer={"tokenFile": "/no/such"}), "problem backends.prod.bearer.tokenFile: credentials file"),
        (
            backend(basic={"username": "a", "password": "long enough"}),
            "note backends.prod: credentials are sent in plain text",
        ),
        (
            backend(url="https://oap", tls={"caFile": "/no/such"}),
            "problem backends.prod.tls of backend prod cannot be used: ",
        ),
        (
            backend(url="https://oap", tls={"insecureSkipVerify": True}),
            "note backends.prod.tls.insecureSkipVerify:",
        ),
    ],
)
def test_check_config_invalid_value_is_reported(keys: dict[str, Any], message: str) -> None:
    assert message in config_findings(**keys)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "problem backends.prod.bearer.tokenFile: "), ("abc", "note backends.prod"), ("a\nb", "more than one line")],
)
def test_check_config_invalid_secret_file_is_reported(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "token").write_text(content)

    assert message in config_findings(**backend(bearer={"tokenFile": str(tmp_path / "token")}))


def test_check_config_valid_configuration_is_ok(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("long-enough-by-far")
    bridge = tmp_path / "0.1.0" / "linux-amd64" / "skywalking-bridge"
    bridge.parent.mkdir(parents=True)
    bridge.touch()
    config = Config.model_validate(
        {"socket": str(tmp_path / "p.sock"), "http": {"bridges": str(tmp_path)}}
        | backend(url="https://oap", bearer={"tokenFile": str(tmp_path / "token")})
    )

    section = check_config(config, "config.yaml")

    assert section.level is Level.OK
    assert [one.message for one in section.findings] == [
        "1 backend: prod",
        f"1 bridge in {tmp_path} for download",
        f"backends.prod.bearer.tokenFile: {tmp_path / 'token'} is readable",
    ]
