"""The chart's values, schema, README and the service's configuration are consistent."""

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from skywalking_provider import __version__
from skywalking_provider.config.backend import BackendConfig, Basic, Bearer, CacheConfig, CircuitConfig
from skywalking_provider.config.events import EventsConfig
from skywalking_provider.config.tls import ClientTls
from skywalking_provider.support.key_levels import yaml_keys
from tests.install.install_tools import CHART, ROOT

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())


def iterate_leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, part in schema["properties"].items():
        here = f"{path}.{key}" if path else key
        if "properties" in part and "description" not in part:
            yield from iterate_leaves(part, here)
        else:
            yield here


def has_path(values: Any, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def test_values_all_have_a_default() -> None:
    assert [path for path in iterate_leaves(SCHEMA) if path != "global" and not has_path(VALUES, path)] == []


def test_values_are_all_documented() -> None:
    documented = {key for key, _, _ in runpy.run_path(str(ROOT / "tools" / "chart-values"))["rows"](SCHEMA, VALUES)}

    assert documented == set(iterate_leaves(SCHEMA)) - {"global"}


def test_readme_table_is_current() -> None:
    check = subprocess.run([sys.executable, ROOT / "tools" / "chart-values", "--check"], check=False)

    assert check.returncode == 0, "run tools/chart-values"


def test_schema_objects_reject_unknown_keys() -> None:
    def open_objects(schema: dict[str, Any], path: str) -> Iterator[str]:
        if "properties" in schema and schema.get("additionalProperties") is not False:
            yield path
        for key, part in [*schema.get("properties", {}).items(), *schema.get("definitions", {}).items()]:
            yield from open_objects(part, f"{path}.{key}")

    assert list(open_objects(SCHEMA, "")) == []


def test_schema_of_a_backend_equals_the_services_without_inline_secrets() -> None:
    backend = SCHEMA["definitions"]["backend"]["properties"]
    sections = {key: set(part["properties"]) for key, part in backend.items() if "properties" in part}

    assert set(backend) == set(yaml_keys(BackendConfig)), (
        "definitions.backend of charts/skywalking-provider/values.schema.json"
    )
    assert sections == {
        "basic": set(yaml_keys(Basic)) - {"password"},
        "bearer": set(yaml_keys(Bearer)) - {"token"},
        "cache": set(yaml_keys(CacheConfig)),
        "circuit": set(yaml_keys(CircuitConfig)),
        "events": set(yaml_keys(EventsConfig)),
        "tls": set(yaml_keys(ClientTls)),
    }


def test_chart_package_and_bridge_have_the_same_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == __version__
    assert f'var version = "{__version__}"' in (ROOT / "bridge" / "options.go").read_text()


@pytest.mark.parametrize("page", ["README.md", "docs/install.md", "charts/skywalking-provider/README.md"])
def test_page_installs_this_version_of_the_chart(page: str) -> None:
    versions = re.findall(r"oci://\S+/charts/skywalking-provider --version (\S+)", (ROOT / page).read_text())

    assert set(versions) == {yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]}
