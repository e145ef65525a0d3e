"""Parser of the block under `provider.plugin.<name>`. The result is immutable and cached."""

import json
from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache
from pydantic import ValidationError

from skywalking_provider.block.alarms import AlarmsSpec
from skywalking_provider.block.common import InvalidKeyError
from skywalking_provider.block.expression import ExpressionSpec
from skywalking_provider.block.graphql import GraphqlSpec
from skywalking_provider.block.graphql_syntax import QuerySyntaxError
from skywalking_provider.block.indicator import IndicatorSpec
from skywalking_provider.block.judged import JudgedSpec
from skywalking_provider.block.key_hints import hint_for_key
from skywalking_provider.block.unresolved import HINT, unresolved_arguments
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.support.validation_messages import format_validation_error

MAX_BLOCK_BYTES = 32 * 1024
_MAX_CACHE_BYTES: Final = 4 * 1024 * 1024  # of all cached specs, approximately
_SPEC_BYTES: Final = 2048  # of a spec without its texts, so that at most 2,048 are cached
_BYTES_PER_CHARACTER: Final = 4  # of a block and the spec that is parsed from it

Spec = GraphqlSpec | ExpressionSpec | IndicatorSpec | JudgedSpec | AlarmsSpec

QUERY_TYPES: Final[dict[str, type[Spec]]] = {
    "query": GraphqlSpec,
    "expression": ExpressionSpec,
    "sli": IndicatorSpec,
    "alarms": AlarmsSpec,
}
"""Spec class of each query type, by the key that selects the type."""

JUDGED_KEYS: Final = frozenset({"compare", "objective"})
"""Keys of which one makes an `sli` block a judged one."""


class BlockError(ProviderError):
    """A block that cannot be parsed (BLOCK_INVALID).

    Args:
        problem: The problem with a hint, without the words that name the block.
        key: First invalid key; empty if the problem concerns the whole block.
        query_line: Line of the problem in the text of `query`, counted from 1; 0 if it has none.
    """

    def __init__(self, problem: str, *, key: str = "", query_line: int = 0) -> None:
        self.problem = problem
        self.key = key
        self.query_line = query_line
        super().__init__(Reason.BLOCK_INVALID, f"the block of the metric is invalid: {problem}")


@dataclass(frozen=True, slots=True)
class _CachedSpec:
    spec: Spec
    size: int


_cache: Final[LRUCache[bytes, _CachedSpec]] = LRUCache(_MAX_CACHE_BYTES, getsizeof=lambda cached: cached.size)


def parse_block(block: bytes) -> Spec:
    """Parse the JSON of a block. The specs of the last blocks are cached.

    Raises:
        BlockError: The block is invalid; the message has the path of every invalid key.
    """
    cached = _cache.get(block)
    if cached is None:
        cached = _CachedSpec(_parse(block), _SPEC_BYTES + _BYTES_PER_CHARACTER * len(block))
        _cache[block] = cached
    return cached.spec


def _parse(block: bytes) -> Spec:
    if len(block) > MAX_BLOCK_BYTES:
        raise BlockError(f"it has {len(block)} bytes; at most {MAX_BLOCK_BYTES} are allowed")
    try:
        content = json.loads(block)
    except (ValueError, RecursionError) as error:
        raise BlockError(f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise BlockError(
            f"it is a JSON {_json_type(content)}; write an object with one of query, expression, sli and alarms"
        )
    _check_arguments(content)
    model = _select_query_type(content)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problem = format_validation_error(error, model, key_hint=hint_for_key)
        key, query_line = _locate(error)
        raise BlockError(problem, key=key, query_line=query_line) from error


def _check_arguments(content: dict[str, Any]) -> None:
    """Reject the arguments that Argo left unresolved: no OAP has such a name, so waiting for it does not help."""
    found = next(unresolved_arguments(content), None)
    if found is not None:
        path, argument = found
        raise BlockError(f"{path}: {argument} was not replaced. {HINT}", key=path.partition(".")[0])


def _select_query_type(content: dict[str, Any]) -> type[Spec]:
    written = [key for key in QUERY_TYPES if key in content]
    if len(written) != 1:
        problem = f"it has {' and '.join(written)}" if written else "it has none of query, expression, sli and alarms"
        raise BlockError(f"{problem}; write exactly one")
    model = QUERY_TYPES[written[0]]
    return JudgedSpec if model is IndicatorSpec and JUDGED_KEYS & content.keys() else model


def _locate(error: ValidationError) -> tuple[str, int]:
    """Return the key of the first problem, and its line in the query's text or 0."""
    detail = error.errors(include_url=False)[0]
    cause = detail.get("ctx", {}).get("error")
    key = cause.key if isinstance(cause, InvalidKeyError) else str(next(iter(detail["loc"]), ""))
    return key, cause.line if isinstance(cause, QuerySyntaxError) else 0


def _json_type(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names[type(value)]
