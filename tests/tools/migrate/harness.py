"""Templates for the built-in provider, and accessors for their migration."""

import json
from pathlib import Path
from typing import Any

import yaml

from skywalking_provider.block import Spec, parse_block
from skywalking_provider.tools.migrate import Migration, migrate
from skywalking_provider.tools.migrate.rewrite import TAG

DATA = Path(__file__).with_name("data")
PLUGIN = "skywalking/metrics"

SERVICE = 'scope: Service, serviceName: "reviews", normal: true'


def build_query(
    name: str = "readMetricsValues",
    metric: str = "service_apdex",
    entity: str = SERVICE,
    extra_arguments: str = "",
    alias: str = "r",
) -> str:
    """Return a V2 query with one read."""
    selection = "" if name == "readMetricsValue" else " { label values { values { value } } }"
    return (
        f'query q($duration: Duration!) {{ {alias}: {name}(condition: {{name: "{metric}", entity: {{{entity}}}}},'
        f" {extra_arguments}duration: $duration){selection} }}"
    )


def build_template(query: str | None = None, *, metric: dict[str, Any] | None = None, **block: Any) -> str:
    """Return a template for the built-in provider with one metric."""
    keys = {"interval": "3m", "address": "http://oap:12800", "query": query or build_query()} | block
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


def migrated_metric(migration: Migration) -> dict[str, Any]:
    """Return the only metric of a migrated template."""
    (one,) = yaml.safe_load(migration.after)["spec"]["metrics"]
    return dict(one)


def migrated_block(migration: Migration) -> dict[str, Any]:
    """Return the block of the only metric."""
    return dict(migrated_metric(migration)["provider"]["plugin"][PLUGIN])


def migrated_spec(migration: Migration) -> Spec:
    """Return the block of the only metric, as the provider parses it with arguments replaced."""
    return parse_block(TAG.sub("sample", json.dumps(migrated_block(migration))).encode())


def notes_by_topic(migration: Migration) -> dict[str, str]:
    """Return the notes of the only metric."""
    (one,) = migration.metrics
    return {note.topic: note.text for note in one.notes}


def migrate_to_expression(source: str) -> Migration:
    return migrate(source, PLUGIN, expressions=True)
