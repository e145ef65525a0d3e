"""The SDL files, and the client's response types against them."""

from dataclasses import fields
from importlib import resources
from typing import get_args, get_origin

import pytest
from graphql import (
    GraphQLList,
    GraphQLObjectType,
    build_schema,
    get_nullable_type,
    validate_schema,
)

from skywalking_provider import schema
from skywalking_provider.oap.api import record_responses, responses
from skywalking_provider.schema import ALARMS_SINCE_11, BEFORE_9_4, SINCE_9_5, SINCE_10_2, WHOLE_TRACES, load_schema

RESPONSE_TYPES = [
    (responses.TimeInfo, "TimeInfo"),
    (responses.NamedItem, "Endpoint"),
    (responses.ListedMetric, "MetricDefinition"),
    (responses.ListedService, "Service"),
    (responses.InstanceAttribute, "Attribute"),
    (responses.ListedInstance, "ServiceInstance"),
    (responses.KVInt, "KVInt"),
    (responses.IntValues, "IntValues"),
    (responses.MetricsValues, "MetricsValues"),
    (responses.MqeLabel, "KeyValue"),
    (responses.MqeMetadata, "Metadata"),
    (responses.MqeValue, "MQEValue"),
    (responses.MqeValues, "MQEValues"),
    (responses.ExpressionResult, "ExpressionResult"),
    (record_responses.KeyValue, "KeyValue"),
    (record_responses.ListedAlarm, "AlarmMessage"),
    (record_responses.ListedAlarms, "Alarms"),
]


@pytest.mark.parametrize("files", [BEFORE_9_4, SINCE_9_5, (*SINCE_9_5, *ALARMS_SINCE_11, SINCE_10_2, WHOLE_TRACES)])
def test_sdl_files_together_are_a_valid_schema(files: tuple[str, ...]):
    folder = resources.files(schema)
    sdl = "\n".join((folder / f"{name}.graphqls").read_text(encoding="utf-8") for name in files)
    assert validate_schema(build_schema(sdl)) == []


def test_sdl_files_are_all_used():
    names = {file.name for file in resources.files(schema).iterdir() if file.name.endswith(".graphqls")}
    assert names == {
        f"{name}.graphqls" for name in (*BEFORE_9_4, *SINCE_9_5, *ALARMS_SINCE_11, SINCE_10_2, WHOLE_TRACES)
    }


@pytest.mark.parametrize(("response_type", "name"), RESPONSE_TYPES, ids=[name for _, name in RESPONSE_TYPES])
def test_response_type_has_only_fields_of_the_schema(response_type: type, name: str):
    kind = load_schema((*SINCE_9_5, *ALARMS_SINCE_11, SINCE_10_2, WHOLE_TRACES)).get_type(name)
    assert isinstance(kind, GraphQLObjectType)
    for field in fields(response_type):
        alias = getattr(field.default, "alias", None) or next(
            (one.alias for one in getattr(field.type, "__metadata__", ()) if getattr(one, "alias", None)), field.name
        )
        assert alias in kind.fields, f"{name}.{alias}"
        is_list = isinstance(get_nullable_type(kind.fields[alias].type), GraphQLList)
        unannotated = get_args(field.type)[0] if hasattr(field.type, "__metadata__") else field.type
        assert is_list == (get_origin(unannotated) is tuple), f"{name}.{alias}"
