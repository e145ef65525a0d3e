"""Wrong requests beyond the recorded ones are refused in OAP's manner: the same shape, kind and status."""

import aiohttp
import pytest

from skywalking_provider.mock_oap import MockOap
from tests.mock_oap.client import CANARY, post

READ = 'readMetricsValue(condition: {name: "service_cpm"}, duration: {start: "x", end: "y", step: MINUTE})'


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("query($a: Int) { version }", "Validation error (UnusedVariable) : Unused variable 'a'"),
        (
            "{ listServices(layer: $a) { name } }",
            "Validation error (UndefinedVariable@[listServices]) : Undefined variable 'a'",
        ),
        ("query($a: Nope) { version }", "Validation error (UnknownType) : Unknown type 'Nope'"),
        (
            "{ listServices }",
            "(SubselectionRequired@[listServices]) : Subselection required for type '[Service!]!'",
        ),
        (
            "{ version { major } }",
            "(SubselectionNotAllowed@[version]) : Subselection not allowed on leaf type 'String' of field 'version'",
        ),
        ("{ listServices(kind: 1) { name } }", "Unknown field argument 'kind'"),
        ("{ getService { name } }", "Missing field argument 'serviceId'"),
        ("{ ...a }", "Validation error (UndefinedFragment) : Undefined fragment 'a'"),
        ('{ x: getService(serviceId: "") { nope } }', "FieldUndefined@[getService/nope]"),
    ],
)
async def test_validation_errors_are_graphql_javas(query: str, message: str):
    async with MockOap() as oap:
        async with aiohttp.ClientSession() as session, session.post(oap.url, json={"query": query}) as response:
            assert response.status == 400
        answer = await post(oap, query)
    assert "data" not in answer
    assert message in " | ".join(error["message"] for error in answer["errors"])
    assert {error["extensions"]["classification"] for error in answer["errors"]} == {"ValidationError"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"d": {"start": 1, "end": "y", "step": "MINUTE"}}, "Expected a String input, but it was a 'Integer'"),
        ({"d": "today"}, "Expected type 'Map' but was 'String'. Variables for input objects must be maps."),
        ({"d": {"start": "x", "end": None, "step": "DAY"}}, "Field 'end' has coerced Null value"),
    ],
)
async def test_wrong_variables_are_graphql_errors_without_data(variables: dict, message: str):
    query = 'query($d: Duration!) { readMetricsValue(condition: {name: "service_cpm"}, duration: $d) }'
    async with MockOap() as oap:
        answer = await post(oap, query, **variables)
    assert set(answer) == {"errors"}
    assert message in answer["errors"][0]["message"]


async def test_wrong_variables_were_http_500_in_old_versions():
    async with (
        MockOap(version="9.2.0") as oap,
        aiohttp.ClientSession() as session,
        session.post(
            oap.url, json={"query": "query($n: ID!) { findEndpoint(serviceId: $n, limit: 1) { id } }"}
        ) as answer,
    ):
        assert answer.status == 500


async def test_a_throwing_field_takes_the_whole_data_with_it():
    async with MockOap() as oap:
        answer = await post(oap, f"{{ version {READ} }}")
    assert answer["data"] is None
    assert answer["errors"][0]["path"] == ["readMetricsValue"]


async def test_fragments_count_in_the_complexity():
    many = " ".join(f"a{index}: getTimeInfo {{ ...both }}" for index in range(10))
    query = f"query {{ {many} ... on Query {{ version }} }} fragment both on TimeInfo {{ timezone currentTimestamp }}"
    async with MockOap(max_complexity=31) as oap:
        assert "data" in await post(oap, query)
    async with MockOap(max_complexity=30) as oap:
        answer = await post(oap, query)
    assert answer == {
        "errors": [
            {
                "message": "maximum query complexity exceeded 31 > 30",
                "extensions": {"classification": "ExecutionAborted"},
            }
        ]
    }


@pytest.mark.parametrize(("version", "limit"), [("9.2.0", 1000), ("9.6.0", 3000), ("10.1.0", 3000)])
async def test_the_limit_of_complexity_is_the_versions_default(version: str, limit: int):
    query = f"{{ {' '.join(f'a{index}: version' for index in range(limit + 1))} }}"
    async with MockOap(version=version) as oap:
        answer = await post(oap, query)
    assert answer["errors"][0]["message"] == f"maximum query complexity exceeded {limit + 1} > {limit}"


@pytest.mark.parametrize("version", ["9.2.0", "9.6.0", "10.1.0"])
async def test_a_client_can_read_the_schema(version: str):
    from graphql import build_client_schema, get_introspection_query  # noqa: PLC0415

    async with MockOap(version=version, max_complexity=10_000) as oap:
        answer = await post(oap, get_introspection_query())
    schema = build_client_schema(answer["data"])
    assert ("execExpression" in schema.query_type.fields) == (version != "9.2.0")


async def test_a_service_by_id_and_an_unknown_one():
    async with MockOap() as oap:
        answer = await post(
            oap,
            'query($n: String!) { a: findService(serviceName: $n) { name layers normal } b: getService(serviceId: "x") '
            '{ name } c: getInstance(instanceId: "bm9wZQ==.1_eA==") { name } }',
            n=CANARY,
        )
    assert answer["data"] == {"a": {"name": CANARY, "layers": ["MESH"], "normal": True}, "b": None, "c": None}
