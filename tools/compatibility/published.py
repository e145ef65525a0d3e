"""Published names that have no file of their own: reason codes, metrics and the keys of the configuration.

`docs/published.json` has them, so that a later version can be compared with a release without running it.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema

from skywalking_provider.config import Config
from skywalking_provider.errors import Reason
from skywalking_provider.telemetry.metrics import ServiceMetrics
from tools.compatibility.schema_diff import find_incompatibilities

PATH = "docs/published.json"
_BRIDGE_CODE = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)


def build_published(reasons_page: str) -> dict[str, Any]:
    """Return the content of `docs/published.json`.

    Args:
        reasons_page: Text of docs/reasons.md, which lists the codes of the bridge, too.
    """
    return {
        "reasonCodes": sorted({*Reason, *_BRIDGE_CODE.findall(reasons_page)}),
        "metrics": dict(sorted(_metrics())),
        "configuration": _without_texts(Config.model_json_schema(schema_generator=_Generator)),
    }


def find_removed_names(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line for each published name of the old version that the new one lacks, or has with a narrower type."""
    lines = [f"reason code {code} was removed" for code in old["reasonCodes"] if code not in new["reasonCodes"]]
    for name, labels in old["metrics"].items():
        if (now := new["metrics"].get(name)) is None:
            lines.append(f"metric {name} was removed")
            continue
        lines += [f"label {label} of metric {name} was removed" for label in labels if label not in now]
    return lines + [
        f"configuration {line}" for line in find_incompatibilities(old["configuration"], new["configuration"])
    ]


class _Generator(GenerateJsonSchema):
    """Schema generator for values that a model reads from text, such as a secret or a time zone."""

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> JsonSchemaValue:  # noqa: ARG002
        return {"type": "string"}


def _without_texts(schema: Any) -> Any:
    """Return a schema without the texts of the code, which are not published."""
    match schema:
        case dict():
            texts = {key for key in ("description", "title") if isinstance(schema.get(key), str)}
            return {key: _without_texts(value) for key, value in schema.items() if key not in texts}
        case list():
            return [_without_texts(one) for one in schema]
    return schema


def _metrics() -> Iterator[tuple[str, list[str]]]:
    metrics = ServiceMetrics(["default"], lambda: datetime.now(UTC))
    for family in metrics.registry.collect():
        for sample in family.samples:
            if not sample.name.startswith("process_"):  # names of prometheus_client, which depend on the platform
                yield sample.name, sorted(sample.labels)
