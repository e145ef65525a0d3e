"""Flags go before environment, environment before the file, the file before defaults; nothing wrong passes."""

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


def complaint(path: Path | None, flags: dict[str, object] | None = None, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, flags or {}, environment)
    return str(caught.value)


def test_each_source_goes_before_the_next(file: Path) -> None:
    environment = {"SWP_LOG__LEVEL": "error", "SWP_DRAIN": "3s", "SWP_BACKENDS__PROD__TIMEOUT": "2s"}

    config = load_config(file, {"drain": "4s", "listen": None}, environment)

    assert config.drain == timedelta(seconds=4)
    assert config.log.level == "error"
    assert config.backends["prod"].timeout == timedelta(seconds=2)
    assert config.backends["prod"].url == "http://oap.istio-system:12800"
    assert config.backends["prod"].settle == timedelta(seconds=60)


def test_names_in_variables_have_dashes_for_underscores() -> None:
    environment = {"SWP_BACKENDS__PROD_EU__URL": "http://oap", "SWP_BACKENDS__PROD_EU__HEADERS__X_TENANT": "blue"}

    config = load_config(None, {}, environment)

    assert list(config.backends["prod-eu"].headers) == ["x-tenant"]


def test_skywalkings_own_variable_adds_no_backend_to_those_of_the_file(file: Path) -> None:
    assert list(load_config(file, {}, {"SW_OAP_ADDRESS": "http://other:12800"}).backends) == ["prod"]


def test_skywalkings_own_variable_is_enough() -> None:
    config = load_config(None, {}, {"SW_OAP_ADDRESS": "http://oap:12800"})

    assert config.backends["default"].url == "http://oap:12800"


def test_the_effective_configuration_is_shown_without_secrets_and_can_be_read_again(file: Path) -> None:
    config = load_config(file, {}, {})

    shown = config.to_yaml_redacted()

    assert "hunter2" not in shown
    assert "tenant-token" not in shown
    assert "hunter2" not in repr(config)
    assert Config.model_validate(yaml.safe_load(shown)).backends["prod"].url == config.backends["prod"].url


@pytest.mark.parametrize(
    ("text", "path", "remedy"),
    [
        ("backend: {}", "backend", "Did you mean backends?"),
        ("", "backends", "name at least one"),
        ("backends: {prod: {}}", "backends.prod.url", "is required"),
        ("backends: {prod: {url: oap}}", "backends.prod.url", "http://"),
        ("backends: {prod: {url: 'http://a:b@oap'}}", "backends.prod.url", "credentials"),
        ("backends: {prod: {url: 'http://oap', timeot: 5s}}", "backends.prod.timeot", "Did you mean timeout?"),
        ("backends: {prod: {url: 'http://oap', timeout: 5}}", "backends.prod.timeout", "Go's notation"),
        ("backends: {Prod: {url: 'http://oap'}}", "backends.Prod", "lower-case"),
        ("backends: {a: {url: 'http://oap'}, b: {url: 'http://oap/'}}", "backends.b", "already"),
        ("backends: {a: {url: 'http://oap', basic: {username: x}}}", "backends.a.basic", "exactly one of password"),
        ("backends: {a: {url: 'http://oap', bearer: {}}}", "backends.a.bearer", "exactly one of token"),
        ("socketMode: 0660\nbackends: {a: {url: 'http://oap'}}", "socketMode", 'quoted, as "0660"'),
        ("apiVersion: v2\nbackends: {a: {url: 'http://oap'}}", "apiVersion", "'v1'"),
        ("backends: {a: {url: 'http://oap', timeout: 0s}}", "backends.a.timeout", "100ms"),
        ("backends: {a: {url: 'http://oap', basic: {username: 'a:b', password: c}}}", "username", "colon"),
        ("backends: {a: {url: 'http://oap', basic: {username: a, password: 12345}}}", "password", "in quotes"),
        ("[]", "", "holds no mapping"),
        ("a: [", "", "is not YAML"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_remedy(tmp_path: Path, text: str, path: str, remedy: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)

    told = complaint(file)

    assert str(file) in told
    assert path in told
    assert remedy in told


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in complaint(tmp_path / "none.yaml")


def test_a_misspelt_variable_is_an_error_too(file: Path) -> None:
    assert "environment variable SWP_SOKET: soket is an unknown key. Did you mean socket?" in complaint(
        file, SWP_SOKET="x"
    )
