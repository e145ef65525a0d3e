"""Configuration: precedence of the sources, defaults and validation."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from skywalking_provider.config import Config, ConfigError, load_config

FILE = """
apiVersion: v1
socket: /run/skywalking/provider.sock
log: {level: warning}
backends:
  prod:
    url: http://OAP.istio-system:12800/
    aliases: [http://oap]
    basic: {username: argo, password: hunter2}
    headers: {X-Tenant: tenant-token}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(FILE)
    return path


def load_error(path: Path | None, flags: dict[str, object] | None = None, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, flags or {}, environment)
    return str(caught.value)


def test_flags_override_environment_which_overrides_the_file(file: Path) -> None:
    environment = {"SWP_LOG__LEVEL": "error", "SWP_DRAIN": "3s", "SWP_BACKENDS__PROD__TIMEOUT": "2s"}

    config = load_config(file, {"drain": "4s", "listen": None}, environment)

    assert config.drain == timedelta(seconds=4)
    assert config.log.level == "error"
    assert config.backends["prod"].timeout == timedelta(seconds=2)
    assert config.backends["prod"].url == "http://oap.istio-system:12800"
    assert config.backends["prod"].settle == timedelta(seconds=60)


def test_names_in_variables_with_underscores_have_dashes() -> None:
    environment = {"SWP_BACKENDS__PROD_EU__URL": "http://oap", "SWP_BACKENDS__PROD_EU__HEADERS__X_TENANT": "blue"}

    config = load_config(None, {}, environment)

    assert list(config.backends["prod-eu"].headers) == ["x-tenant"]


def test_skywalking_variable_with_backends_in_the_file_is_ignored(file: Path) -> None:
    assert list(load_config(file, {}, {"SW_OAP_ADDRESS": "http://other:12800"}).backends) == ["prod"]


def test_skywalking_variable_without_a_file_is_enough() -> None:
    config = load_config(None, {}, {"SW_OAP_ADDRESS": "http://oap:12800"})

    assert config.backends["default"].url == "http://oap:12800"


def test_printed_configuration_has_no_secrets_and_is_valid(file: Path) -> None:
    config = load_config(file, {}, {})

    printed = config.to_yaml_redacted()

    assert "hunter2" not in printed
    assert "tenant-token" not in printed
    assert "hunter2" not in repr(config)
    assert Config.model_validate(yaml.safe_load(printed)).backends["prod"].url == config.backends["prod"].url


def test_caches_have_two_ttls_with_defaults() -> None:
    default = load_config(None, {}, {"SWP_BACKENDS__A__URL": "http://oap"}).backends["a"].cache
    environment = {"SWP_BACKENDS__A__URL": "http://oap", "SWP_BACKENDS__A__CACHE__RESPONSE_TTL": "27s"}
    longer = load_config(None, {}, environment).backends["a"].cache

    assert (default.response_ttl, default.verdict_ttl) == (timedelta(seconds=7), timedelta(seconds=3))
    assert (longer.response_ttl, longer.verdict_ttl) == (timedelta(seconds=27), timedelta(seconds=3))


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        ("backend: {}", "backend", "Write backends: {<name>: {url: …}}."),
        ("", "backends", "Configure at least one"),
        ("backends: {prod: {}}", "backends.prod.url", "is required"),
        ("backends: {prod: {url: oap}}", "backends.prod.url", "http://"),
        ("backends: {prod: {url: 'http://a:b@oap'}}", "backends.prod.url", "credentials"),
        ("backends: {prod: {url: 'http://oap', timeot: 5s}}", "backends.prod.timeot", "Did you mean timeout?"),
        ("backends: {prod: {url: 'http://oap', timeout: 5}}", "backends.prod.timeout", "Go's notation"),
        ("backends: {Prod: {url: 'http://oap'}}", "backends.Prod", "lower-case"),
        ("backends: {a: {url: 'http://oap'}, b: {url: 'http://oap/'}}", "backends.b", "already"),
        ("backends: {a: {url: 'http://oap', basic: {username: x}}}", "backends.a.basic", "exactly one of password"),
        ("backends: {a: {url: 'http://oap', bearer: {}}}", "backends.a.bearer", "exactly one of token"),
        ("socketMode: 0660\nbackends: {a: {url: 'http://oap'}}", "socketMode", 'in quotes, such as "0660"'),
        ("apiVersion: v2\nbackends: {a: {url: 'http://oap'}}", "apiVersion", "'v1'"),
        ("backends: {a: {url: 'http://oap', timeout: 0s}}", "backends.a.timeout", "100ms"),
        (
            "backends: {a: {url: 'http://oap', cache: {responseTtl: 28s}}}",
            "backends.a.cache",
            "responseTtl and verdictTtl add up to 31s, more than 30s; OAP's data may change in that time. Shorten one",
        ),
        ("backends: {a: {url: 'http://oap', basic: {username: 'a:b', password: c}}}", "username", "colon"),
        ("backends: {a: {url: 'http://oap', basic: {username: a, password: 12345}}}", "password", "in quotes"),
        ("backends: {a: {url: 'http://oap', events: {address: oap}}}", "backends.a.events.address", "not host:port"),
        (
            "backends: {a: {url: 'http://oap', events: {address: 'http://oap:1'}}}",
            "a.events.address",
            "oap.skywalking:11800",
        ),
        ("backends: {a: {url: 'http://oap', events: {maxInstances: 51}}}", "backends.a.events.maxInstances", "50"),
        ("backends: {a: {url: 'http://oap', events: {enable: true}}}", "a.events.enable", "Did you mean enabled?"),
        (
            "backends: {a: {url: 'https://oap', events: {address: 'oap:1'}, tls: {insecureSkipVerify: true}}}",
            "backends.a",
            "gRPC always verifies certificates, and tls.insecureSkipVerify is set. Set tls.caFile",
        ),
        ("[]", "", "is not a mapping"),
        ("a: [", "", "is not YAML"),
    ],
)
def test_invalid_key_or_value_is_named_with_a_hint(tmp_path: Path, text: str, path: str, hint: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)

    message = load_error(file)

    assert str(file) in message
    assert path in message
    assert hint in message


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in load_error(tmp_path / "none.yaml")


def test_misspelt_variable_is_an_error(file: Path) -> None:
    assert "environment variable SWP_SOKET: soket is an unknown key. Did you mean socket?" in load_error(
        file, SWP_SOKET="x"
    )
