"""The client's decoder on every recorded response of real OAPs, whatever the mock's wording is."""

import json
from typing import Any

import pytest
from graphql import FieldNode, OperationDefinitionNode, parse

from skywalking_provider.errors import BackendUnavailableError, FailureKind, Reason, Rejection, RejectionKind
from skywalking_provider.oap.api import responses
from skywalking_provider.oap.transport.error_mapping import error_from_graphql
from skywalking_provider.queries.graphql.response_shape import ShapeBuilder, check_shape
from tests.mock_oap.recordings import RecordedExchange, load_replayable

PARSERS = {
    "getTimeInfo": responses.TIME_INFO,
    "listServices": responses.SERVICES,
    "listInstances": responses.INSTANCES,
    "findEndpoint": responses.NAMES,
    "listMetrics": responses.METRICS,
    "listLayers": responses.TEXTS,
    "__type": responses.SCHEMA_TYPE,
    "readNullableMetricsValue": responses.KV_INT,
    "readMetricsValues": responses.METRICS_VALUES,
    "readLabeledMetricsValues": responses.LABELED_METRICS_VALUES,
    "execExpression": responses.EXPRESSION_RESULT,
}
REJECTIONS = {
    "9.2.0-alias-2000-over-complexity": Rejection(RejectionKind.TOKENS),
    "9.2.0-alias-650-over-complexity": Rejection(RejectionKind.TOKENS),
    "9.6.0-alias-2000-over-complexity": Rejection(RejectionKind.TOKENS),
    "10.4.0-alias-2000-over-complexity": Rejection(RejectionKind.TOKENS),
    "10.4.0-alias-650-over-complexity": Rejection(RejectionKind.TOKENS),
    "10.1.0-alias-2000-over-complexity": Rejection(RejectionKind.TOKENS),
    "10.1.0-alias-650-over-complexity": Rejection(RejectionKind.TOKENS),
    "10.1.0-alias-500-over-complexity": Rejection(RejectionKind.COMPLEXITY, 3000),
}


def load_json(recorded: RecordedExchange) -> dict[str, Any]:
    body = recorded.response_body or ""
    return json.loads(body) if body.startswith("{") else {}


ALL = list(load_replayable())
WITH_DATA = [one for one in ALL if load_json(one).get("data")]
WITH_ERRORS = [one for one in ALL if load_json(one).get("errors")]


def root_fields(recorded: RecordedExchange) -> list[FieldNode]:
    """Return the root fields that the request selects, without those of other operations and of fragments."""
    body = json.loads(recorded.body or b"{}") if recorded.content_type != "application/graphql" else {}
    document = parse(body["query"] if body else (recorded.body or b"").decode())
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    name = body.get("operationName")
    operation = next(one for one in operations if name is None or (one.name and one.name.value == name))
    return [one for one in operation.selection_set.selections if isinstance(one, FieldNode)]


@pytest.mark.parametrize("recorded", WITH_DATA, ids=str)
def test_recorded_data_is_decoded_and_has_the_requested_shape(recorded: RecordedExchange) -> None:
    data = load_json(recorded)["data"]
    for field in root_fields(recorded):
        name = (field.alias or field.name).value
        parser = PARSERS.get(field.name.value)
        if parser is not None and selects_what_is_parsed(field):
            parser.parse(data, name)
        if field.name.value.startswith(("readM", "readN", "readL", "exec")):
            check_shape(ShapeBuilder({}).build(field), data)


def selects_what_is_parsed(field: FieldNode) -> bool:
    """Return whether the recorded query selects the fields that the client reads."""
    names = {
        one.name.value
        for one in (field.selection_set.selections if field.selection_set else ())
        if isinstance(one, FieldNode)
    }
    required = {
        "getTimeInfo": {"timezone", "currentTimestamp"},
        "listServices": {"id", "name"},
        "listInstances": {"name"},
        "findEndpoint": {"name"},
        "listMetrics": {"name"},
        "__type": {"fields"},
        "execExpression": {"type", "results"},
    }
    return required.get(field.name.value, set()) <= names


@pytest.mark.parametrize("recorded", WITH_ERRORS, ids=str)
def test_recorded_errors_have_the_cause_that_the_provider_acts_on(recorded: RecordedExchange) -> None:
    error = error_from_graphql(load_json(recorded)["errors"], "prod", str)

    if recorded.case.startswith("storage-down"):
        assert isinstance(error, BackendUnavailableError)
        assert error.kind is FailureKind.STORAGE_DOWN
    else:
        assert error.reason is Reason.QUERY_INVALID
        assert error.rejection == REJECTIONS.get(str(recorded))


def test_recordings_cover_data_errors_and_each_rejection() -> None:
    assert len(WITH_DATA) > 150
    assert len(WITH_ERRORS) > 100
    assert REJECTIONS.keys() <= {str(one) for one in WITH_ERRORS}
