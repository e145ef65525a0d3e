"""Variables that Kubernetes makes of Services, beside variables of the configuration."""

import string
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from skywalking_provider.config import Config, ConfigError, load_config
from skywalking_provider.config.service_links import find_service_variables
from skywalking_provider.support.key_levels import yaml_keys
from tests.config.kubelet import Port, Service, kubelet_variables

URL = {"SWP_BACKENDS__PROD__URL": "http://oap:12800"}

OF_RELEASE_SWP = {
    "SWP_SKYWALKING_PROVIDER_HTTP_SERVICE_HOST": "10.96.12.7",
    "SWP_SKYWALKING_PROVIDER_HTTP_SERVICE_PORT": "9464",
    "SWP_SKYWALKING_PROVIDER_HTTP_SERVICE_PORT_HTTP": "9464",
    "SWP_SKYWALKING_PROVIDER_HTTP_PORT": "tcp://10.96.12.7:9464",
    "SWP_SKYWALKING_PROVIDER_HTTP_PORT_9464_TCP": "tcp://10.96.12.7:9464",
    "SWP_SKYWALKING_PROVIDER_HTTP_PORT_9464_TCP_PROTO": "tcp",
    "SWP_SKYWALKING_PROVIDER_HTTP_PORT_9464_TCP_PORT": "9464",
    "SWP_SKYWALKING_PROVIDER_HTTP_PORT_9464_TCP_ADDR": "10.96.12.7",
}
"""Variables of the chart's Service in a release named swp."""


_ALNUM = string.ascii_lowercase + string.digits
# Words of keys and of Kubernetes' own suffixes, so that names look like both.
_WORDS = st.sampled_from(
    [*yaml_keys(Config), "backends--prod--url", "service", "port", "host", "80", "tcp", "addr", "proto", "prod", ""]
).map(str.lower)
_LABEL = st.one_of(
    st.from_regex(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?", fullmatch=True),
    st.lists(_WORDS, min_size=1, max_size=5).map("-".join).map(lambda text: text.strip("-")),
)
_NAMES = st.one_of(st.just("swp"), _LABEL.filter(bool).map(lambda label: f"swp-{label}"))
_ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
_PORTS = st.builds(
    Port,
    name=st.one_of(st.just(""), _LABEL),
    number=st.integers(1, 65535),
    protocol=st.sampled_from(["TCP", "UDP", "SCTP"]),
)
_SERVICES = st.builds(
    Service, name=_NAMES, address=_ADDRESSES, ports=st.lists(_PORTS, min_size=1, max_size=4).map(tuple)
)


@given(services=st.lists(_SERVICES, min_size=1, max_size=4, unique_by=lambda service: service.name))
def test_services_of_any_name_and_port_leave_the_configuration_as_it_is(services: list[Service]) -> None:
    variables = dict(pair for service in services for pair in kubelet_variables(service))

    assert find_service_variables(variables) == variables.keys()
    assert load_config(None, {}, variables | URL) == load_config(None, {}, URL)


def test_services_of_the_release_swp_leave_the_configuration_as_it_is() -> None:
    service = Service("swp-skywalking-provider-http", "10.96.12.7", (Port("http", 9464, "TCP"),))

    assert dict(kubelet_variables(service)) == OF_RELEASE_SWP
    assert load_config(None, {}, OF_RELEASE_SWP | URL) == load_config(None, {}, URL)


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("SWP_PORT", "9464", "port"),
        ("SWP_PORT", "tcp://10.96.12.7:9464", "port"),
        ("SWP_HTTP_PORT", "9464", "http-port"),
        ("SWP_SERVICE_PORT", "9500", "service-port"),
        ("SWP_HTTP_SERVICE_HOST", "10.96.12.7", "http-service-host"),
        ("SWP_LISTEN_PORT_9500_TCP", "tcp://10.96.12.7:9500", "listen-port-9500-tcp"),
        ("SWP_SKYWALKING_PROVIDER_HTTP_PORT", "9464", "skywalking-provider-http-port"),
        ("SWP_SKYWALKING_PROVIDER_HTTP_HOST", "10.96.12.7", "skywalking-provider-http-host"),
        ("SWP_SOKET", "/run/skywalking/provider.sock", "soket"),
    ],
)
def test_misspelt_variable_beside_variables_of_a_service_is_an_error(name: str, value: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"environment variable {name}: {key} is an unknown key"):
        load_config(None, {}, OF_RELEASE_SWP | URL | {name: value})


# -- every key of the configuration ----------------------------------------------------------------------------------

# Values that are valid. Every other key gets the text 7, which it takes or rejects with its own message.
VALUES: Mapping[str, str] = {
    "socketMode": "0600",
    "insecure": "true",
    "drain": "7s",
    "log.level": "debug",
    "log.format": "console",
    "http.listen": "127.0.0.1:7",
    "page.listen": "127.0.0.1:7",
    "backends.prod.url": "http://other:12800",
    "backends.prod.ui": "http://ui",
    "backends.prod.serviceName": "{name}",
    "backends.prod.timezone": "Europe/Berlin",
    "backends.prod.timeout": "7s",
    "backends.prod.settle": "7s",
    "backends.prod.clockTtl": "7s",
    "backends.prod.cache.responseTtl": "1s",
    "backends.prod.cache.verdictTtl": "1s",
    "backends.prod.maxAnswerBytes": "2048",
    "backends.prod.circuit.coolDown": "7s",
}


def leaf_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the paths of all keys without keys below them."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        yield from _below(field.annotation, path)


def _below(annotation: Any, path: str) -> Iterator[str]:
    options = [one for one in (get_args(annotation) or (annotation,)) if one is not type(None)]
    if get_origin(annotation) is dict:
        value = get_args(annotation)[1]
        name = "prod" if isinstance(value, type) and issubclass(value, BaseModel) else "x-service-port"
        yield from _below(value, f"{path}.{name}")
    elif models := [one for one in options if isinstance(one, type) and issubclass(one, BaseModel)]:
        yield from leaf_keys(models[0], f"{path}.")
    else:
        yield path


def variable_name(path: str) -> str:
    """Return the variable of a key: `backends.prod.maxRequests` is SWP_BACKENDS__PROD__MAX_REQUESTS."""
    words = ["".join(f"_{char}" if char.isupper() else char for char in part) for part in path.split(".")]
    return "SWP_" + "__".join(word.replace("-", "_").upper() for word in words)


def services_named_like(path: str) -> dict[str, str]:
    """Return the variables of Services that have the names of a key and of the levels above it."""
    parts = [part.lower() for part in path.split(".")]
    services = [
        Service(f"swp-{'-'.join(parts[:depth])}", f"10.96.0.{depth}", (Port("http", 80, "TCP"), Port("dns", 53, "UDP")))
        for depth in range(1, len(parts) + 1)
    ]
    whole = Service(f"swp-{'--'.join(parts)}", "10.96.1.1", (Port("", 80, "TCP"),))
    return dict(pair for service in (*services, whole) for pair in kubelet_variables(service))


def load_outcome(variables: dict[str, str]) -> Config | str:
    """Return the configuration, or the error if a key needs other keys or another value."""
    try:
        return load_config(None, {}, URL | variables)
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize("path", list(leaf_keys(Config)))
def test_every_key_is_read_beside_services_of_its_name(path: str) -> None:
    written = {variable_name(path): VALUES.get(path, "7")}

    alone = load_outcome(written)

    assert alone != load_outcome({}), "the key has no effect"
    assert "unknown key" not in str(alone)
    assert load_outcome(services_named_like(path) | OF_RELEASE_SWP | written) == alone
