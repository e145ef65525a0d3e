"""The block under `provider.plugin.<name>`: parsed and checked once, immutable from then on."""

import json
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from skywalking_provider.block.expression import ExpressionSpec
from skywalking_provider.block.graphql import GraphqlSpec
from skywalking_provider.block.indicator import IndicatorSpec
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.support.validation_messages import format_validation_error, yaml_keys

MAX_BLOCK_BYTES = 32 * 1024

Spec = GraphqlSpec | ExpressionSpec | IndicatorSpec

QUERY_TYPES: dict[str, type[GraphqlSpec | ExpressionSpec | IndicatorSpec]] = {
    "query": GraphqlSpec,
    "expression": ExpressionSpec,
    "sli": IndicatorSpec,
}
"""The key that makes a block one of its form."""

RESERVED_KEYS = frozenset({"compare", "confidence"})


@lru_cache(maxsize=512)
def parse_block(block: bytes) -> Spec:
    """Parse the JSON of a block.

    Raises:
        ProviderError: BLOCK_INVALID, with the path of every wrong key.
    """
    if len(block) > MAX_BLOCK_BYTES:
        raise _block_error(f"it has {len(block)} bytes; at most {MAX_BLOCK_BYTES} are read")
    try:
        content = json.loads(block)
    except (ValueError, RecursionError) as error:
        raise _block_error(f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _block_error(f"it is a JSON {_json_type(content)}; write an object with one of query, expression and sli")
    form = _select_query_type(content)
    try:
        return form.model_validate(content)
    except ValidationError as error:
        raise _block_error(format_validation_error(error, yaml_keys(form), reserved=RESERVED_KEYS)) from error


def _select_query_type(content: dict[str, Any]) -> type[GraphqlSpec | ExpressionSpec | IndicatorSpec]:
    written = [key for key in QUERY_TYPES if key in content]
    if len(written) != 1:
        found = f"it has {' and '.join(written)}" if written else "it has none of query, expression and sli"
        raise _block_error(f"{found}; write exactly one")
    return QUERY_TYPES[written[0]]


def _block_error(message: str) -> ProviderError:
    return ProviderError(Reason.BLOCK_INVALID, f"the block under provider.plugin is wrong: {message}")


def _json_type(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names[type(value)]
