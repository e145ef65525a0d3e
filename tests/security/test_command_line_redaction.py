"""Redaction on the command line: configuration errors and command output contain no credentials."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skywalking_provider.cli import app
from skywalking_provider.config import ConfigError, load_config
from tests.security.credential_echo_server import CredentialEchoServer, start_echo_server

PLANTED = "pl4nted-secret"

INVALID_CONFIGS = {
    "an alias of YAML": "backends: {prod: {url: http://oap, basic: {username: a, password: *PLANTED}}}",
    "a tag of YAML": "backends: {prod: {url: http://oap, basic: {username: a, password: !PLANTED x}}}",
    "a quote too many": "backends: {prod: {url: http://oap, basic: {username: a, password: 'PLANTED''}}}",
    "a character that begins nothing": "backends: {prod: {url: http://oap, basic: {username: a, password: @PLANTED}}}",
    "an anchor twice": "a: &PLANTED x\nb: &PLANTED y\n",
    "a wrong escape": 'backends: {prod: {url: http://oap, basic: {username: a, password: "\\PLANTED"}}}',
    "a colon in a password": "backends:\n  prod:\n    basic:\n      password: x: PLANTED\n",
    "a tab": "backends:\n\tprod: PLANTED\n",
    "no mapping": "- PLANTED",
    "a list for a password": "backends: {prod: {url: http://oap, basic: {username: a, password: [PLANTED]}}}",
    "a number for a password": "backends: {prod: {url: http://oap, headers: {A: 1}, bearer: {token: [PLANTED]}}}",
    "a text for headers": 'backends: {prod: {url: http://oap, headers: "Authorization: PLANTED"}}',
    "two lines in a token": 'backends: {prod: {url: http://oap, bearer: {token: "PLANTED\\nX: y"}}}',
    "a text for basic": 'backends: {prod: {url: http://oap, basic: "user:PLANTED"}}',
    "a password in the wrong key": "backends: {prod: {url: http://oap, basic: {user: a, password: PLANTED}}}",
    "both": "backends: {prod: {url: http://oap, basic: {username: a, password: PLANTED, passwordFile: /x}}}",
    "three ways": "backends: {prod: {url: http://oap, bearer: {token: PLANTED}, headers: {Authorization: PLANTED}}}",
    "userinfo in the url": "backends: {prod: {url: 'http://argo:PLANTED@oap'}}",
    "userinfo with a full-width at": "backends: {prod: {url: 'http://argo:PLANTED\uff20oap'}}",
    "a token in the query of the url": "backends: {prod: {url: 'http://oap/?token=PLANTED'}}",
    "userinfo in an alias": "backends: {prod: {url: http://oap, aliases: ['http://argo:PLANTED@oap']}}",
    "userinfo in the link": "backends: {prod: {url: http://oap, ui: 'https://argo:PLANTED@ui'}}",
    "a token as a name of a header": "backends: {prod: {url: http://oap, headers: {'Bearer PLANTED': x}}, : }",
}


@pytest.mark.parametrize("kind", INVALID_CONFIGS)
def test_configuration_error_contains_no_text_of_the_file(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(INVALID_CONFIGS[kind].replace("PLANTED", PLANTED), encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load_config(file, {}, {})

    assert PLANTED not in str(caught.value)
    assert str(file) in str(caught.value)


def test_configuration_error_names_the_variable_without_its_value() -> None:
    environment = {
        "SW_OAP_ADDRESS": "http://oap",
        "SWP_BACKENDS__DEFAULT__BASIC__USERNAME": "a:b",
        "SWP_BACKENDS__DEFAULT__BASIC__PASSWORD": PLANTED,
        "SWP_BACKENDS__DEFAULT__HEADERS": PLANTED,
    }
    with pytest.raises(ConfigError) as caught:
        load_config(None, {}, environment)

    assert "backends.default.basic.username" in str(caught.value)
    assert PLANTED not in str(caught.value)


TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: apdex}
spec:
  metrics:
  - name: apdex
    successCondition: "true"
    provider:
      plugin:
        skywalking/metrics:
          interval: 3m
          query: |
            query q($duration: Duration!) { apdex: readMetricsValues(condition: {name: "a",
              entity: {scope: Service, serviceName: "a", normal: true}}, duration: $duration)
              { label values { values { value } } } }
"""


@contextmanager
def echoing() -> Iterator[CredentialEchoServer]:
    """Run an echoing OAP on a separate event loop, because the commands under test run their own."""
    ready, stop, oaps = threading.Event(), threading.Event(), []

    async def serve() -> None:
        async with start_echo_server() as oap:
            oaps.append(oap)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield oaps[0]
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("output", ["human", "wide", "json"])
@pytest.mark.parametrize("response", ["an error", "labels", "names", "a page of 500", "an error in a path"])
def test_check_credentials_repeated_by_an_oap_are_redacted(tmp_path: Path, response: str, output: str) -> None:
    with echoing() as oap:
        oap.response, oap.regular_queries = response, ("getTimeInfo", "__type")
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps({"backends": {"prod": {"url": oap.url, "bearer": {"token": PLANTED}}}}))
        (tmp_path / "template.yaml").write_text(TEMPLATE)

        result = CliRunner().invoke(
            app, ["check", "-f", str(tmp_path / "template.yaml"), "-c", str(config), "-o", output]
        )

    assert PLANTED not in result.output
    if response == "an error" or (response == "labels" and output != "human"):
        assert "********" in result.output  # the credentials did arrive


def test_print_config_redacts_credentials(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    (tmp_path / "token").write_text(PLANTED)
    config.write_text(
        json.dumps(
            {
                "socket": "/run/p.sock",
                "backends": {
                    "a": {"url": "http://a", "bearer": {"tokenFile": str(tmp_path / "token")}},
                    "b": {"url": "http://b", "basic": {"username": "argo", "password": PLANTED}},
                    "c": {"url": "http://c", "headers": {"X-Api-Key": PLANTED}},
                },
            }
        )
    )

    result = CliRunner().invoke(app, ["serve", "-c", str(config), "--print-config"])

    assert result.exit_code == 0
    assert PLANTED not in result.output
