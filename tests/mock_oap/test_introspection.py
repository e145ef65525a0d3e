"""The limit on introspection of graphql-java 21.5, which OAP 10.1 uses."""

import pytest

from skywalking_provider.mock_oap import MockOap
from skywalking_provider.oap.api.features import FEATURES_REQUEST
from tests.mock_oap.client import post

VERSIONS = ["9.2.0", "9.6.0", "10.1.0"]
REPEATED = [
    ('{ a: __type(name: "Query") { name } b: __type(name: "Int") { name } }', "__type"),
    ("{ a: __schema { queryType { name } } b: __schema { queryType { name } } }", "__schema"),
    ('{ a: __type(name: "Int") { name } ...f } fragment f on Query { b: __type(name: "Int") { name } }', "__type"),
]
SINGLE = [
    '{ __type(name: "Query") { name fields { name } } a: version b: version }',
    '{ __schema { queryType { name } } __type(name: "Query") { fields { name } } }',
]


@pytest.mark.parametrize("version", VERSIONS)
async def test_introspection_of_the_client_is_accepted(version: str):
    async with MockOap(version=version) as oap:
        response = await post(oap, FEATURES_REQUEST.query, **FEATURES_REQUEST.variables)
    assert response.keys() == {"data"}
    names = {field["name"] for field in response["data"]["query"]["fields"]}
    assert ("execExpression" in names) == (version != "9.2.0")


@pytest.mark.parametrize(("query", "field"), REPEATED)
async def test_introspection_repeated_root_field_is_rejected(query: str, field: str):
    async with MockOap(version="10.1.0") as oap:
        response = await post(oap, query)
    (error,) = response["errors"]
    assert error["extensions"] == {"classification": "BadFaithIntrospection"}
    assert f"Query.{field} is selected more than once" in error["message"]
    assert "data" not in response


@pytest.mark.parametrize("query", SINGLE)
async def test_introspection_single_root_fields_are_accepted(query: str):
    async with MockOap(version="10.1.0") as oap:
        response = await post(oap, query)
    assert response.keys() == {"data"}


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0"])
@pytest.mark.parametrize("query", [query for query, _ in REPEATED])
async def test_introspection_repeated_root_field_is_accepted_before_10_1(version: str, query: str):
    async with MockOap(version=version) as oap:
        response = await post(oap, query)
    assert response.keys() == {"data"}


async def test_complexity_limit_is_checked_before_the_introspection_limit():
    async with MockOap(max_complexity=3) as oap:
        response = await post(oap, REPEATED[0][0])
    assert response["errors"][0]["message"] == "maximum query complexity exceeded 4 > 3"
