"""The block under `provider.plugin.<name>`: parsed and checked once, immutable from then on."""

import json
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.spec.graphql import GraphqlSpec
from skywalking_provider.spec.named import ExpressionSpec, SliSpec
from skywalking_provider.spec.problems import describe, keys_of

MAX_BLOCK_BYTES = 32 * 1024

Spec = GraphqlSpec | ExpressionSpec | SliSpec

FORMS: dict[str, type[GraphqlSpec | ExpressionSpec | SliSpec]] = {
    "query": GraphqlSpec,
    "expression": ExpressionSpec,
    "sli": SliSpec,
}
"""The key that makes a block one of its form."""

LATER_KEYS = frozenset({"compare", "confidence"})


@lru_cache(maxsize=512)
def parse_block(block: bytes) -> Spec:
    """Parse the JSON of a block.

    Raises:
        ProviderError: BLOCK_INVALID, with the path of every wrong key.
    """
    if len(block) > MAX_BLOCK_BYTES:
        raise _invalid(f"it has {len(block)} bytes; at most {MAX_BLOCK_BYTES} are read")
    try:
        content = json.loads(block)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _invalid(f"it is a JSON {_json_type(content)}; write an object with one of query, expression and sli")
    form = _form_of(content)
    try:
        return form.model_validate(content)
    except ValidationError as error:
        raise _invalid(describe(error, keys_of(form), later=LATER_KEYS)) from error


def _form_of(content: dict[str, Any]) -> type[GraphqlSpec | ExpressionSpec | SliSpec]:
    written = [key for key in FORMS if key in content]
    if len(written) != 1:
        found = f"it has {' and '.join(written)}" if written else "it has none of query, expression and sli"
        raise _invalid(f"{found}; write exactly one")
    return FORMS[written[0]]


def _invalid(what: str) -> ProviderError:
    return ProviderError(Reason.BLOCK_INVALID, f"the block under provider.plugin is wrong: {what}")


def _json_type(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names[type(value)]
