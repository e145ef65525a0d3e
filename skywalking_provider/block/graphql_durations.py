"""Check that every read of a query is of the measurement's window: its duration is `$duration`.

A read of other minutes has the same result at every measurement, whatever the canary does.
"""

from collections.abc import Iterator
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    InlineFragmentNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    print_ast,
)

from skywalking_provider.block.graphql_syntax import QuerySyntaxError

DURATION: Final = "duration"
"""Name of the variable that the provider sends, and of the argument that takes it."""
_DURATION_NAMES: Final = frozenset({DURATION, "queryDuration"})  # the second one is a part of conditions
_START_AND_END: Final = frozenset({"start", "end"})
_WINDOW_READS: Final = frozenset(
    {
        "execExpression",
        "getLinearIntValues",
        "getMultipleLinearIntValues",
        "getThermodynamic",
        "getValues",
        "readHeatMap",
        "readLabeledMetricsValues",
        "readMetricsValue",
        "readMetricsValues",
        "readNullableMetricsValue",
        "readRecords",
        "readSampledRecords",
        "sortMetrics",
    }
)
"""Fields of OAP's schema that read metrics of a duration."""
_MAX_QUOTED: Final = 100


def check_durations(document: DocumentNode) -> None:
    """Check that every read of a document has `duration: $duration`.

    Raises:
        ValueError: A read has another duration or none. The message has its response name.
    """
    for field in _fields(document):
        if problem := _describe_problem(field):
            name = (field.alias or field.name).value
            line = field.loc.start_token.line if field.loc else 0
            raise QuerySyntaxError(
                f"{name} does not use $duration: {problem}; write duration: $duration to read the window", line
            )


def _describe_problem(field: FieldNode) -> str:
    arguments = {one.name.value: one.value for one in field.arguments or ()}
    for name, value in _durations(arguments):
        if not (isinstance(value, VariableNode) and value.name.value == DURATION):
            return f"its {name} is {_quote(value)}, the same minutes at every measurement"
    if field.name.value in _WINDOW_READS and DURATION not in arguments:
        return "it has no duration"
    return ""


def _durations(arguments: dict[str, ValueNode]) -> Iterator[tuple[str, ValueNode]]:
    """Yield the durations among arguments, those inside conditions included."""
    pending = list(arguments.items())
    while pending:
        name, value = pending.pop()
        parts = {part.name.value: part.value for part in value.fields} if isinstance(value, ObjectValueNode) else {}
        if name in _DURATION_NAMES or parts.keys() >= _START_AND_END:
            yield name, value
        else:
            pending += parts.items()


def _fields(document: DocumentNode) -> Iterator[FieldNode]:
    """Yield the fields of the operation and of the fragments, at every depth."""
    pending: list[SelectionSetNode] = [
        definition.selection_set
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode)
    ]
    while pending:
        for selection in pending.pop().selections:
            if isinstance(selection, FieldNode):
                yield selection
            if isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set:
                pending.append(selection.selection_set)


def _quote(value: ValueNode) -> str:
    text = " ".join(print_ast(value).split())
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…"
