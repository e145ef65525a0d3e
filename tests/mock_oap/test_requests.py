"""Invalid requests beyond the recorded ones: status, classification and place of their errors."""

import aiohttp
import pytest

from skywalking_provider.mock_oap import MockOap
from tests.mock_oap.client import CANARY, post

READ = 'readMetricsValue(condition: {name: "service_cpm", entity: {}}, duration: {start: "x", end: "y", step: MINUTE})'


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("query($a: Int) { version }", "Variable '$a' is never used."),
        ("{ listServices(layer: $a) { name } }", "Variable '$a' is not defined."),
        ("query($a: Nope) { version }", "Unknown type 'Nope'."),
        ("{ listServices }", "must have a selection of subfields"),
        ("{ version { major } }", "must not have a selection"),
        ("{ listServices(kind: 1) { name } }", "Unknown argument 'kind'"),
        ("{ getService { name } }", "Argument 'Query.getService(serviceId:)' of type 'String!' is required"),
        ("{ ...a }", "Unknown fragment 'a'."),
        ('{ x: getService(serviceId: "") { nope } }', "Cannot query field 'nope' on type 'Service'."),
    ],
)
async def test_request_invalid_document_is_http_400_with_validation_errors(query: str, message: str):
    async with MockOap() as oap:
        async with aiohttp.ClientSession() as session, session.post(oap.url, json={"query": query}) as response:
            assert response.status == 400
        content = await post(oap, query)
    assert "data" not in content
    assert message in " | ".join(error["message"] for error in content["errors"])
    assert {error["extensions"]["classification"] for error in content["errors"]} == {"ValidationError"}
    assert all(error["locations"] for error in content["errors"])


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"d": {"start": 1, "end": "y", "step": "MINUTE"}}, "String cannot represent a non string value: 1"),
        ({"d": "today"}, "Expected value of type 'Duration' to be an object"),
        (
            {"d": {"start": "x", "end": None, "step": "DAY"}},
            "Expected value of non-null type 'String!'",
        ),
    ],
)
async def test_request_invalid_variable_is_a_validation_error_without_data(variables: dict, message: str):
    query = 'query($d: Duration!) { readMetricsValue(condition: {name: "service_cpm", entity: {}}, duration: $d) }'
    async with MockOap() as oap:
        content = await post(oap, query, **variables)
    assert set(content) == {"errors"}
    (error,) = content["errors"]
    assert message in error["message"]
    assert error["extensions"] == {"classification": "ValidationError"}


async def test_request_invalid_variable_is_http_500_in_9_2():
    async with (
        MockOap(version="9.2.0") as oap,
        aiohttp.ClientSession() as session,
        session.post(
            oap.url, json={"query": "query($n: ID!) { findEndpoint(serviceId: $n, limit: 1) { id } }"}
        ) as response,
    ):
        assert response.status == 500


async def test_request_failing_field_sets_data_to_null():
    async with MockOap() as oap:
        response = await post(oap, f"{{ version {READ} }}")
    assert response["data"] is None
    assert response["errors"][0]["path"] == ["readMetricsValue"]


async def test_complexity_limit_counts_fields_of_fragments():
    many = " ".join(f"a{index}: getTimeInfo {{ ...both }}" for index in range(10))
    query = f"query {{ {many} ... on Query {{ version }} }} fragment both on TimeInfo {{ timezone currentTimestamp }}"
    async with MockOap(max_complexity=31) as oap:
        assert "data" in await post(oap, query)
    async with MockOap(max_complexity=30) as oap:
        response = await post(oap, query)
    assert response == {
        "errors": [
            {
                "message": "maximum query complexity exceeded 31 > 30",
                "extensions": {"classification": "ExecutionAborted"},
            }
        ]
    }


@pytest.mark.parametrize(("version", "limit"), [("9.2.0", 1000), ("9.6.0", 3000), ("10.1.0", 3000)])
async def test_complexity_limit_defaults_to_that_of_the_version(version: str, limit: int):
    query = f"{{ {' '.join(f'a{index}: version' for index in range(limit + 1))} }}"
    async with MockOap(version=version) as oap:
        response = await post(oap, query)
    assert response["errors"][0]["message"] == f"maximum query complexity exceeded {limit + 1} > {limit}"


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0", "10.1.0"])
async def test_introspection_query_of_graphql_core_returns_the_schema(version: str):
    from graphql import build_client_schema, get_introspection_query  # noqa: PLC0415

    async with MockOap(version=version, max_complexity=10_000) as oap:
        response = await post(oap, get_introspection_query())
    schema = build_client_schema(response["data"])
    assert ("execExpression" in schema.query_type.fields) == (version != "9.2.0")


async def test_service_queries_unknown_id_returns_null():
    async with MockOap() as oap:
        response = await post(
            oap,
            'query($n: String!) { a: findService(serviceName: $n) { name layers normal } b: getService(serviceId: "x") '
            '{ name } c: getInstance(instanceId: "bm9wZQ==.1_eA==") { name } }',
            n=CANARY,
        )
    assert response["data"] == {"a": {"name": CANARY, "layers": ["MESH"], "normal": True}, "b": None, "c": None}


async def test_request_with_the_text_of_an_earlier_one_has_its_own_operation_and_variables():
    query = "query a($layer: String!) { listServices(layer: $layer) { name } } query b { version }"
    async with MockOap() as oap, aiohttp.ClientSession() as session:

        async def read(operation: str | None, **variables: str) -> dict:
            body = {"query": query, "variables": variables, "operationName": operation}
            async with session.post(oap.url, json=body) as response:
                return await response.json(content_type=None)

        for _ in range(2):
            assert set((await read("a", layer="MESH"))["data"]) == {"listServices"}
            assert set((await read("b"))["data"]) == {"version"}
            assert "errors" in await read("a")
