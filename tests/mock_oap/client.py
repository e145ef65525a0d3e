"""Requests to a mock OAP over HTTP."""

from datetime import datetime, timedelta
from typing import Any

import aiohttp

from skywalking_provider.mock_oap import MockOap

CANARY = "canary|reviews|bookinfo|cluster-1|-"
VANILLA = "reviews.bookinfo"

VALUES_QUERY = """query($c: MetricsCondition!, $d: Duration!) {
  r: readMetricsValues(condition: $c, duration: $d) { values { values { value isEmptyValue } } } }"""
EXPRESSION_QUERY = """query($x: String!, $e: Entity!, $d: Duration!) {
  r: execExpression(expression: $x, entity: $e, duration: $d) {
    type error results { metric { labels { key value } } values { id value } } } }"""


async def post(oap: MockOap, query: str, **variables: Any) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.post(oap.url, json={"query": query, "variables": variables}) as response,
    ):
        return await response.json(content_type=None)


def minute_duration(first: datetime, count: int) -> dict[str, str]:
    """Build a duration of minutes; `first` is a local time in the time zone of the OAP."""
    last = first + timedelta(minutes=count - 1)
    return {"start": f"{first:%Y-%m-%d %H%M}", "end": f"{last:%Y-%m-%d %H%M}", "step": "MINUTE"}


async def fetch_buckets(
    oap: MockOap, metric: str, duration: dict[str, str], service: str = CANARY, **entity: Any
) -> list[int | None]:
    """Return the values of a metric; None where the bucket is absent."""
    condition = {"name": metric, "entity": {"serviceName": service, "normal": True, **entity}}
    response = await post(oap, VALUES_QUERY, c=condition, d=duration)
    points = response["data"]["r"]["values"]["values"]
    assert all(point["value"] == 0 for point in points if point["isEmptyValue"])
    return [None if point["isEmptyValue"] else point["value"] for point in points]


async def evaluate(oap: MockOap, expression: str, duration: dict[str, str], service: str | None = CANARY) -> Any:
    """Return the result of an expression."""
    entity = {"serviceName": service, "normal": True}
    response = await post(oap, EXPRESSION_QUERY, x=expression, e=entity, d=duration)
    return response["data"]["r"]
