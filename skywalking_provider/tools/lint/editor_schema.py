"""JSON Schema of analysis templates for editors: Argo's CRD with the block of this provider. No I/O.

It is draft 7, which yaml-language-server supports completely. It accepts documents of other kinds, because a file may
have a Rollout beside its template.
"""

from collections.abc import Mapping
from typing import Any, Final

from skywalking_provider.block.json_schema import build_block_schema
from skywalking_provider.tools.check.argo.schema import load_crd_schemas
from skywalking_provider.tools.templates import TEMPLATE_KINDS

SCHEMA_DIALECT: Final = "http://json-schema.org/draft-07/schema#"
SCHEMA_ID: Final = "urn:skywalking-provider:analysis-template:v1"
_INT_OR_TEXT: Final = "x-kubernetes-int-or-string"
_ANY_KEYS: Final = "x-kubernetes-preserve-unknown-fields"
_BLOCK: Final = "Block"
_METRIC_KEYS: Final[Mapping[str, str]] = {
    "name": "Name of the metric. It is unique in the template.",
    "interval": "Time between two measurements, such as 1m. Without it, the metric is measured once.",
    "initialDelay": "Time before the first measurement, such as 5m.",
    "count": "Number of measurements. With an interval and without a count, the metric runs until the Rollout ends.",
    "successCondition": "Condition in expr on result. A judged block needs none.",
    "failureCondition": "Condition in expr on result. With both, a result that fulfils neither is Inconclusive.",
    "failureLimit": "Number of Failed measurements that are tolerated; 0 by default.",
    "inconclusiveLimit": "Number of Inconclusive measurements that are tolerated; 0 by default.",
    "consecutiveErrorLimit": "Number of Errors in a row that are tolerated; 4 by default.",
    "consecutiveSuccessLimit": "Number of Successful measurements in a row that end the metric.",
    "provider": "Source of the metric. Exactly one.",
}


def build_template_schema(plugin: str) -> dict[str, Any]:
    """Build the schema.

    Args:
        plugin: Name of the plugin in Argo's configuration.
    """
    block = build_block_schema()
    definitions: dict[str, Any] = block.pop("$defs")
    definitions[_BLOCK] = {key: value for key, value in block.items() if not key.startswith("$")}
    template = _convert(load_crd_schemas()["AnalysisTemplate"])
    spec = template["properties"]["spec"]["properties"]
    metric = spec["metrics"]["items"]["properties"]
    for key, text in _METRIC_KEYS.items():
        metric[key]["description"] = text
    metric["provider"]["properties"]["plugin"] = {
        "type": "object",
        "description": "Block of a metric plugin, by the plugin's name in Argo's configuration.",
        "properties": {plugin: {"$ref": f"#/$defs/{_BLOCK}"}},
        "minProperties": 1,
        "maxProperties": 1,
    }
    template["properties"]["kind"] = {"enum": list(TEMPLATE_KINDS)}
    template["properties"]["metadata"] = {"type": "object"}
    return {
        "$schema": SCHEMA_DIALECT,
        "$id": SCHEMA_ID,
        "title": "AnalysisTemplate of Argo Rollouts with blocks of the SkyWalking metric provider",
        "if": {"properties": {"kind": {"enum": list(TEMPLATE_KINDS)}}, "required": ["kind"]},
        "then": template,
        "$defs": definitions,
    }


def _convert(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema of a CRD in JSON Schema. Unknown keys are errors, unless the CRD keeps them."""
    if schema.get(_INT_OR_TEXT):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    made: dict[str, Any] = {key: schema[key] for key in ("type", "required") if key in schema}
    if "properties" in schema:
        made["properties"] = {key: _convert(one) for key, one in schema["properties"].items()}
        made["additionalProperties"] = bool(schema.get(_ANY_KEYS))
    if isinstance(schema.get("additionalProperties"), Mapping):
        made["additionalProperties"] = _convert(schema["additionalProperties"])
    if "items" in schema:
        made["items"] = _convert(schema["items"])
    return made
