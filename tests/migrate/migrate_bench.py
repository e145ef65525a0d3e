"""Writing templates of the built-in provider."""

import json
from pathlib import Path
from typing import Any

import yaml

from skywalking_provider.migrate import Migration, migrate
from skywalking_provider.spec import Spec, parse_block

DATA = Path(__file__).with_name("data")
PLUGIN = "skywalking/metrics"

SERVICE = 'scope: Service, serviceName: "reviews", normal: true'


def read(
    name: str = "readMetricsValues",
    metric: str = "service_apdex",
    entity: str = SERVICE,
    more: str = "",
    alias: str = "r",
) -> str:
    """A V2 query with one read."""
    selection = "" if name == "readMetricsValue" else " { label values { values { value } } }"
    return (
        f'query q($duration: Duration!) {{ {alias}: {name}(condition: {{name: "{metric}", entity: {{{entity}}}}},'
        f" {more}duration: $duration){selection} }}"
    )


def template(query: str | None = None, *, metric: dict[str, Any] | None = None, **block: Any) -> str:
    """A template with one metric in the built-in provider's form."""
    keys = {"interval": "3m", "address": "http://oap:12800", "query": query or read()} | block
    body = (
        {"name": "m"}
        | (metric or {})
        | {"provider": {"skywalking": {key: value for key, value in keys.items() if value is not None}}}
    )
    content = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "t"},
        "spec": {"metrics": [body]},
    }
    return yaml.safe_dump(content, sort_keys=False, width=1000)


def metric_of(migration: Migration) -> dict[str, Any]:
    """The only metric of a migrated template."""
    (one,) = yaml.safe_load(migration.after)["spec"]["metrics"]
    return dict(one)


def block_of(migration: Migration) -> dict[str, Any]:
    """Its block."""
    return dict(metric_of(migration)["provider"]["plugin"][PLUGIN])


def spec_of(migration: Migration) -> Spec:
    """Its block, as the provider parses it."""
    return parse_block(json.dumps(block_of(migration)).encode())


def topics(migration: Migration) -> dict[str, str]:
    """The notes of the only metric."""
    (one,) = migration.metrics
    return {note.topic: note.text for note in one.notes}


def to_expression(source: str) -> Migration:
    return migrate(source, PLUGIN, expressions=True)
