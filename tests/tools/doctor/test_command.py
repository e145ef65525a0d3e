"""`skywalking-provider doctor`: what a person reads, what a script gets."""

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


def told(**keys: Any) -> str:
    config = Config.model_validate({"backends": {"prod": {"url": NOWHERE}}} | keys)
    section = check_config(config, "config.yaml")
    return "\n".join(f"{one.level} {one.message} -> {one.hint}" for one in section.findings)


def backend(**keys: Any) -> dict[str, Any]:
    return {"backends": {"prod": {"url": NOWHERE} | keys}}


def test_what_cannot_be_read_is_wrong_use_with_all_findings(tmp_path: Path) -> None:
    result = doctor(tmp_path, {"backends": {"prod": {"urll": "x"}}, "sockett": 1})

    assert result.exit_code == 2
    assert "unknown key. Did you mean url?" in result.output
    assert "sockett: unknown key. Did you mean socket?" in result.output


def test_a_backend_that_is_away_goes_before_other_problems(tmp_path: Path) -> None:
    content = {"socket": str(tmp_path / "p.sock"), "backends": {"prod": {"url": NOWHERE}}}

    away = doctor(tmp_path, content)
    skipped = doctor(tmp_path, content, "--skip", "backends")
    nothing = doctor(tmp_path, content, "--skip", "backends", "--skip", "service")

    assert [away.exit_code, skipped.exit_code, nothing.exit_code] == [3, 1, 0]
    assert "✖ backend prod http://127.0.0.1:9" in away.output
    assert "2 problems" in away.output
    assert nothing.output.endswith("all is well\n")


def test_a_service_that_wants_a_certificate_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    tls = {"certFile": "/no/crt", "keyFile": "/no/key", "clientCaFile": "/no/ca", "allowedIdentities": ["bridge"]}
    content = {"listen": "127.0.0.1:9500", "tls": tls} | backend()

    passed_over = doctor(tmp_path, content, "--skip", "backends")
    skipped = doctor(tmp_path, content, "--skip", "backends", "--skip", "service")

    assert "it was not asked: it serves only clients with a certificate" in passed_over.output
    assert "not asked" not in skipped.output


def test_json_has_every_finding_and_the_exit_code(tmp_path: Path) -> None:
    result = doctor(tmp_path, {"socket": str(tmp_path / "p.sock")} | backend(), "-o", "json")

    answer = json.loads(result.output)
    assert answer["exitCode"] == result.exit_code == 3
    assert [section["area"] for section in answer["sections"]] == ["configuration", "service", "backend"]
    assert answer["sections"][1]["findings"] == [
        {
            "level": "problem",
            "what": "there is no socket",
            "remedy": "start it: skywalking-provider serve --config FILE",
        }
    ]


def test_without_a_terminal_there_are_no_colours(tmp_path: Path) -> None:
    assert "\x1b[" not in doctor(tmp_path, backend()).output


@pytest.mark.parametrize(
    "arguments",
    [["--tls-ca", "a"], ["--tls-ca", "a", "--tls-cert", "b", "--tls-key", "c"], ["--socket", "/a", "--address", "b:1"]],
)
def test_flags_that_cannot_go_together_are_wrong_use(tmp_path: Path, arguments: list[str]) -> None:
    assert doctor(tmp_path, backend(), *arguments).exit_code == 2


def test_credentials_are_not_printed(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("pl4nted-token")
    content = backend(bearer={"tokenFile": str(tmp_path / "token")}, url="http://pl4nted-token.example.org")

    result = doctor(tmp_path, content, "-o", "json")

    assert "pl4nted" not in result.output
    assert "********" in result.output


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "note it names no place to serve on"),
        ({"socket": "/no/such/folder/p.sock"}, "problem socket: folder /no/such/folder does not exist"),
        ({"listen": "0.0.0.0:1"}, "problem listen: '0.0.0.0:1' is open to other machines"),
        ({"listen": "0.0.0.0:1", "insecure": True}, "note 0.0.0.0:1 serves everybody who reaches it"),
        (
            {"http": {"bridges": "/no/such"}},
            "problem http.bridges: there is no <version>/<os>-<arch>/",
        ),
        (backend(bearer={"tokenFile": "/no/such"}), "problem backends.prod.bearer.tokenFile: credentials file"),
        (backend(basic={"username": "a", "password": "long enough"}), "note backends.prod: its credentials travel in"),
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
def test_what_a_configuration_gets_wrong_is_told(keys: dict[str, Any], words: str) -> None:
    assert words in told(**keys)


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "problem backends.prod.bearer.tokenFile: "), ("abc", "note backends.prod"), ("a\nb", "more than one line")],
)
def test_what_is_wrong_with_a_file_of_secrets_is_told(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "token").write_text(content)

    assert words in told(**backend(bearer={"tokenFile": str(tmp_path / "token")}))


def test_a_configuration_that_is_well_says_so(tmp_path: Path) -> None:
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
