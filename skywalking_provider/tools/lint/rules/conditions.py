"""Rules about conditions: they compile for their result, read what it has, and can pass and fail."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final

from graphql import FieldNode, OperationDefinitionNode

from skywalking_provider.block import GraphqlSpec, Spec
from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.conditions import ConditionProblem
from skywalking_provider.model import Phase
from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.lint.arguments import STAND_INS, Path
from skywalking_provider.tools.lint.blocks import Block
from skywalking_provider.tools.lint.findings import Place, Problem, split_hint
from skywalking_provider.tools.lint.objects import TemplateMetric
from skywalking_provider.tools.lint.prober import Conditions, Prober
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.result_shapes import ResultShape, find_shapes

_FIELD: Final = re.compile(r"""\bresult\s*(?:\??\.\s*|\[\s*["'])([A-Za-z_]\w*)""")
_METHODS: Final = frozenset(
    {"all", "exists", "exists_one", "filter", "map", "size", "contains", "startsWith", "endsWith"}
)
"""Methods in CEL, which follow a dot as fields do."""
_READS_RESULT: Final = re.compile(r"\b(?:result|isNil|default)\b")
_CONSTANT: Final = b"{}"
_MAX_QUOTED: Final = 80
_EVALUATION_PREFIX: Final = "could not evaluate the conditions: "
_COMMENT_HINT: Final = "Complete the condition, and quote it if it has #, which begins a comment in YAML"


def read_conditions(metric: TemplateMetric, block: Block) -> Conditions:
    """Return the conditions that decide: the block's, or else the metric's. Arguments have values or stand-ins."""
    spec = block.spec
    if spec is not None and spec.conditions is not None:
        return Conditions(spec.conditions.success, spec.conditions.failure, cel=True)
    replace = metric.arguments.replace
    return Conditions(replace(metric.text("successCondition")), replace(metric.text("failureCondition")))


def has_known_conditions(metric: TemplateMetric, block: Block) -> bool:
    """Return whether the conditions have no argument without a value."""
    texts = (metric.text("successCondition"), metric.text("failureCondition"))
    return block.knows("conditions") and not any(map(metric.arguments.has_unknown, texts))


async def find_condition_problems(metric: TemplateMetric, block: Block, prober: Prober) -> AsyncIterator[Problem]:
    """Yield the problems of the conditions of a metric."""
    if block.spec is None:
        return
    shapes = find_shapes(block.spec)
    conditions = read_conditions(metric, block)
    if not conditions.written:
        if not any(shape.decides for shape in shapes):
            message = "there is no condition: every result is Successful"
            yield Problem(Rule.CONDITION_MISSING, message, "Add successCondition", metric.path)
        return
    compiled = True
    for path, text in _written(metric, conditions):
        problem = await _find_compile_problem(metric, block, text, path, shapes, prober)
        if problem is not None:
            compiled = False
            yield problem
    fields = list(_find_unknown_fields(metric, conditions, block.spec, shapes))
    for one in fields:
        yield one
    if compiled and not fields and has_known_conditions(metric, block):
        async for one in _find_fixed_outcome(metric, conditions, shapes, prober):
            yield one


def _written(metric: TemplateMetric, conditions: Conditions) -> Iterator[tuple[Path, str]]:
    keys = ("conditions", "success"), ("conditions", "failure")
    base: Path = metric.block_path if conditions.cel else metric.path
    names: tuple[Path, Path] = keys if conditions.cel else (("successCondition",), ("failureCondition",))
    for name, text in zip(names, (conditions.success, conditions.failure), strict=True):
        if text:
            yield (*base, *name), text


async def _find_compile_problem(
    metric: TemplateMetric,
    block: Block,
    text: str,
    path: Path,
    shapes: tuple[ResultShape, ...],
    prober: Prober,
) -> Problem | None:
    cel = block.spec is not None and block.spec.conditions is not None
    found = await prober.find_problem(text, cel=cel, shapes=shapes)
    node = metric.owner.document.find(path)
    raw = node.value if node is not None and isinstance(node.value, str) else text
    if found is not None and metric.arguments.has_unknown(raw):
        for attempt in range(1, len(STAND_INS)):
            other = metric.arguments.replace(raw, attempt)
            if await prober.find_problem(other, cel=cel, shapes=shapes) is None:
                return None
    if found is None:
        return None
    of = f" for {shapes[0].name}" if len(shapes) == 1 else ""
    message = f"{path[-1]} does not compile{of}: {found.message.rstrip('.')}"
    plain_text = node is not None and not node.style
    hint = _COMMENT_HINT if plain_text and "unexpected token EOF" in message else "Correct the condition"
    place = _place(metric, path, found)
    return Problem(Rule.CONDITION_INVALID, message, hint, path, place=place)


def _place(metric: TemplateMetric, path: Path, found: ConditionProblem) -> Place | None:
    """Return the place of an error inside a condition; None if it cannot be located."""
    node = metric.owner.document.find(path)
    if node is None or not found.line or "{{" in str(node.value):  # an argument's value has another length
        return None
    if node.is_block_text:
        indent = metric.owner.document.place(path, at_key=True).column + 2
        return Place(node.place.line + found.line, indent + found.column - 1)
    if found.line > 1 or node.end.line > node.place.line or "\n" in str(node.value):
        return None
    return Place(node.place.line, node.place.column + int(node.is_quoted) + found.column - 1)


def _find_unknown_fields(
    metric: TemplateMetric, conditions: Conditions, spec: Spec, shapes: tuple[ResultShape, ...]
) -> Iterator[Problem]:
    """Yield the fields of `result` that it does not have. A map has no types, so that the compiler accepts them."""
    known = shapes[0].fields if len(shapes) == 1 else None
    if known is None and isinstance(spec, GraphqlSpec):
        known = _response_names(spec.query)
    if known is None:
        return
    for path, text in _written(metric, conditions):
        for name, match in {one[1]: one for one in _FIELD.finditer(text)}.items():
            if name not in known and not (conditions.cel and name in _METHODS):
                hint = did_you_mean(name, known, "fields").removesuffix(".")
                place = _place(metric, path, ConditionProblem("", 1, match.start(1) + 1))
                width = len(name) if place else 0
                message = f"{path[-1]}: result has no field {name}"
                yield Problem(Rule.CONDITION_FIELD, message, hint, path, place=place, width=width)


def _response_names(query: str) -> frozenset[str] | None:
    """Return the names of a query's reads in the response; None if a fragment has some."""
    operations = [one for one in parse_query(query).definitions if isinstance(one, OperationDefinitionNode)]
    fields = operations[0].selection_set.selections
    if not all(isinstance(one, FieldNode) for one in fields):
        return None
    return frozenset((one.alias or one.name).value for one in fields if isinstance(one, FieldNode))


async def _find_fixed_outcome(
    metric: TemplateMetric, conditions: Conditions, shapes: tuple[ResultShape, ...], prober: Prober
) -> AsyncIterator[Problem]:
    path, text = next(_written(metric, conditions))
    written = f"`{text if len(text) <= _MAX_QUOTED else text[:_MAX_QUOTED] + '…'}`"
    if not any(map(_READS_RESULT.search, conditions.written)):
        phase, _ = await prober.evaluate(conditions, _CONSTANT)
        rule = Rule.CONDITION_CANNOT_PASS if phase is Phase.FAILED else Rule.CONDITION_CANNOT_FAIL
        if phase is not Phase.ERROR:
            yield Problem(rule, f"{written} does not read result: it is always {phase}", "Compare result", path)
            return
    shape = shapes[0]
    if not (shape.typed and (shape.complete or len(shapes) == 1)):
        return
    outcomes = await prober.find_outcomes(conditions, shape)
    if Phase.ERROR in outcomes.phases and not {Phase.SUCCESSFUL, Phase.FAILED} <= outcomes.phases:
        _, _, text = outcomes.error.rpartition('": ')
        cause, hint = split_hint(text.removeprefix(_EVALUATION_PREFIX))
        message = f"{path[-1]} ends with an Error for {shape.name}: {cause}"
        yield Problem(Rule.CONDITION_INVALID, message, hint or "Correct the condition", path)
    elif not shape.complete:
        return
    elif Phase.FAILED not in outcomes.phases:
        both = " and ".join(key for key in ("successCondition", "failureCondition") if metric.text(key))
        subject = written if len(conditions.written) == 1 else both or "the conditions"
        message = f"no result fails: {subject} on {shape.name} is {_join(outcomes.phases)}"
        yield Problem(Rule.CONDITION_CANNOT_FAIL, message, _range_hint(shape), path)
    elif Phase.SUCCESSFUL not in outcomes.phases:
        message = f"no result passes: {written} on {shape.name} is {_join(outcomes.phases)}"
        yield Problem(Rule.CONDITION_CANNOT_PASS, message, _range_hint(shape), path)


def _join(phases: set[Phase]) -> str:
    return " or ".join(sorted(phases))


def _range_hint(shape: ResultShape) -> str:
    if shape.low is None:
        return f"Compare a field of the result: {', '.join(sorted(shape.fields or ()))}"
    if shape.high == 1.0:
        return "Compare with a number between 0 and 1, such as 0.99 for 99 %"
    return "Compare with a number that results can be on both sides of"
