"""Texts that are inserted into an author's query, which stays verbatim."""

import pytest
from graphql import FieldNode, ObjectValueNode, OperationDefinitionNode, parse
from graphql.language import Node
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.queries.graphql.insertion import copy_field, end_offset, insert_at

QUERY = """query q($duration: Duration!) {
  a: read(condition: {name: "service_sla", scope: Service}, labels: ["0"], duration: $duration) @include(if: true) @x {
    value
  }
  version
}"""


def field(number: int) -> FieldNode:
    (operation,) = parse(QUERY).definitions
    assert isinstance(operation, OperationDefinitionNode)
    node = operation.selection_set.selections[number]
    assert isinstance(node, FieldNode)
    return node


def metric_name() -> Node:
    condition = field(0).arguments[0].value
    assert isinstance(condition, ObjectValueNode)
    return condition.fields[0].value


@given(st.text(max_size=20), st.lists(st.tuples(st.integers(0, 20), st.text(max_size=3)), max_size=5))
def test_texts_are_inserted_at_their_offsets(text: str, insertions: list[tuple[int, str]]) -> None:
    insertions = sorted(((min(at, len(text)), inserted) for at, inserted in insertions), key=lambda one: one[0])

    expected = text
    for at, inserted in reversed(insertions):
        expected = expected[:at] + inserted + expected[at:]

    assert insert_at(text, insertions) == expected


@pytest.mark.parametrize(
    ("arguments", "copied"),
    [
        ((), "kind @include(if: true) @x"),
        (("duration",), "kind(duration: $duration) @include(if: true) @x"),
        (
            ("duration", "condition", "unknown"),
            'kind(condition: {name: "service_sla", scope: Service}, duration: $duration) @include(if: true) @x',
        ),
    ],
)
def test_copied_field_has_the_arguments_and_directives_of_the_read(arguments: tuple[str, ...], copied: str) -> None:
    assert copy_field(field(0), QUERY, "kind", arguments) == copied


def test_copied_field_of_a_read_without_arguments_is_its_name() -> None:
    assert copy_field(field(1), QUERY, "kind", ("condition",)) == "kind"


def test_replacement_changes_the_node_inside_its_argument_only() -> None:
    copied = copy_field(field(0), QUERY, "kind", ("condition", "labels", "duration"), (metric_name(), '"service_cpm"'))

    assert copied == (
        'kind(condition: {name: "service_cpm", scope: Service}, labels: ["0"], duration: $duration)'
        " @include(if: true) @x"
    )


def test_replacement_of_a_whole_argument_replaces_its_text() -> None:
    whole = field(0).arguments[1]

    copied = copy_field(field(0), QUERY, "kind", ("labels", "duration"), (whole, "labels: []"))

    assert copied == "kind(labels: [], duration: $duration) @include(if: true) @x"


def test_end_of_a_node_is_the_offset_after_its_text() -> None:
    assert QUERY[: end_offset(field(0))].endswith("    value\n  }")
    assert QUERY[: end_offset(metric_name())].endswith('{name: "service_sla"')
