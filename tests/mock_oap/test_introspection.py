"""An OAP's schema is told to those who ask for it in good faith; what that is, OAP 10.1's graphql-java was asked."""

import pytest

from skywalking_provider.mock_oap import MockOap
from tests.mock_oap.client import post

BAD_FAITH = [
    ('{ a: __type(name: "Query") { name } b: __type(name: "Int") { name } }', "Query.__type"),
    ('{ a: __type(name: "Int") { name } b: __type(name: "Int") { name } version }', "Query.__type"),
    ("{ a: __schema { queryType { name } } b: __schema { queryType { name } } }", "Query.__schema"),
    ("{ __schema { types { fields { name } } queryType { fields { name } } } }", "__Type.fields"),
    ("{ __schema { types { fields { type { fields { name } } } } } }", "__Type.fields"),
    ('{ __type(name: "Duration") { a: inputFields { name } b: inputFields { name } } }', "__Type.inputFields"),
    (
        '{ a: __type(name: "Query") { name } ...f } fragment f on Query { b: __type(name: "Int") { name } }',
        "Query.__type",
    ),
]
GOOD_FAITH = [
    '{ __type(name: "Query") { name } __type(name: "Query") { kind } }',
    '{ __schema { queryType { name } } __type(name: "Query") { fields { name } } }',
    '{ __type(name: "Int") { fields { name } fields { name } ...f } } fragment f on __Type { fields { name } }',
    '{ a: __type(name: "Query") { name } b: __type(name: "Int") @include(if: false) { name } }',
    '{ a: __type(name: "Query") { name } ... @skip(if: true) { b: __type(name: "Int") { name } } }',
    '{ __type(name: "Step") { enumValues { name } b: enumValues { name } } a: version b: version }',
]


@pytest.mark.parametrize(("query", "field"), BAD_FAITH)
async def test_introspection_in_bad_faith_is_refused_as_graphql_java_does(query: str, field: str):
    async with MockOap(version="10.1.0") as oap:
        answer = await post(oap, query)
    message = f"This request is not asking for introspection in good faith - {field} is present too often!"
    assert answer == {"errors": [{"message": message, "extensions": {"classification": "BadFaithIntrospection"}}]}


@pytest.mark.parametrize("query", GOOD_FAITH)
async def test_what_counts_once_is_introspection_in_good_faith(query: str):
    async with MockOap(version="10.1.0") as oap:
        answer = await post(oap, query)
    assert answer.keys() == {"data"}


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0"])
@pytest.mark.parametrize("query", [query for query, _ in BAD_FAITH])
async def test_graphql_javas_before_21_5_know_no_bad_faith(version: str, query: str):
    async with MockOap(version=version) as oap:
        answer = await post(oap, query)
    assert answer.keys() == {"data"}


async def test_variables_decide_what_is_left_out_of_an_introspection():
    query = 'query($b: Boolean!) { a: __type(name: "Query") { name } b: __type(name: "Int") @include(if: $b) { name } }'
    async with MockOap() as oap:
        answers = [await post(oap, query, b=value) for value in (False, True)]
    assert [list(answer) for answer in answers] == [["data"], ["errors"]]


async def test_the_complexity_of_a_request_is_looked_at_before_its_faith():
    async with MockOap(max_complexity=3) as oap:
        answer = await post(oap, BAD_FAITH[0][0])
    assert answer["errors"][0]["message"] == "maximum query complexity exceeded 4 > 3"
