"""SkyWalking's minutes of each version: calls, success rate and latency of its pods."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Protocol

_METRICS = ("cpm", "sla", "resp_time")
_SERVICES = 'query { services: listServices(layer: "MESH") { id name } }'
_INSTANCES = """query($id: ID!, $d: Duration!) {
  instances: listInstances(serviceId: $id, duration: $d) { name attributes { name value } } }"""
_HASH_LABEL = "rollouts-pod-template-hash"


class GraphqlClient(Protocol):
    """Client of the OAP's GraphQL API."""

    async def query_oap(self, query: str, **variables: Any) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute of a subject, which is a version or a service.

    Attributes:
        at: Begin of the minute in seconds since the epoch.
        subject: Version with its service, or a service without version.
        calls: Calls of the minute.
        success_rate: Share of successful calls.
        latency_ms: Mean response time in milliseconds.
    """

    at: float
    subject: str
    calls: int
    success_rate: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of SkyWalking with the hash of its pod, which is empty for the gateway and for `UNKNOWN`."""

    service: str
    name: str
    pod_hash: str


async def read_minutes(
    client: GraphqlClient, versions: Mapping[str, str], first: float, last: float, zone: tzinfo
) -> list[Minute]:
    """Read the minutes from first to last of every version.

    Args:
        client: Client of the OAP.
        versions: Names of the versions by hash.
        first: A time in the first minute.
        last: A time in the last minute.
        zone: Time zone of the OAP.
    """
    minutes = [one.astimezone(zone) for one in _minutes(first, last)]
    duration = {"start": f"{minutes[0]:%Y-%m-%d %H%M}", "end": f"{minutes[-1]:%Y-%m-%d %H%M}", "step": "MINUTE"}
    instances = [one async for one in _list_instances(client, duration)]
    if not instances:
        return []
    series = await client.query_oap(_series_query(instances), d=duration)
    return merge_minutes([one.timestamp() for one in minutes], instances, series, versions)


def merge_minutes(
    minutes: Sequence[float], instances: Sequence[Instance], series: Mapping[str, Any], versions: Mapping[str, str]
) -> list[Minute]:
    """Merge the series of instances to minutes of subjects; rates and latencies are weighted by calls."""
    totals: dict[tuple[float, str], list[float]] = {}
    for index, instance in enumerate(instances):
        subject = _subject(instance, versions)
        for at, (calls, sla, latency) in zip(minutes, _values(series, index), strict=False):
            if calls:
                total = totals.setdefault((at, subject), [0.0, 0.0, 0.0])
                total[0] += calls
                total[1] += calls * sla / 10000
                total[2] += calls * latency
    return [
        Minute(at, subject, round(calls), good / calls, latency / calls)
        for (at, subject), (calls, good, latency) in sorted(totals.items())
    ]


def _subject(instance: Instance, versions: Mapping[str, str]) -> str:
    version = versions.get(instance.pod_hash)
    return f"{version} ({instance.service})" if version else instance.service


def _values(series: Mapping[str, Any], index: int) -> Iterable[tuple[int, int, int]]:
    columns = [[one["value"] for one in series[f"{metric}{index}"]["values"]["values"]] for metric in _METRICS]
    return zip(*columns, strict=True)


async def _list_instances(client: GraphqlClient, duration: Mapping[str, str]) -> Any:
    for service in (await client.query_oap(_SERVICES))["services"]:
        if service["name"].startswith("istio-ingressgateway"):
            continue
        for one in (await client.query_oap(_INSTANCES, id=service["id"], d=duration))["instances"]:
            attributes = {each["name"]: each["value"] for each in one["attributes"]}
            yield Instance(service["name"], one["name"], attributes.get(_HASH_LABEL, ""))


def _series_query(instances: Sequence[Instance]) -> str:
    reads = [
        f"{metric}{index}: readMetricsValues(condition: {{name: {json.dumps(f'service_instance_{metric}')}, "
        f"entity: {{scope: ServiceInstance, serviceName: {json.dumps(one.service)}, normal: true, "
        f"serviceInstanceName: {json.dumps(one.name)}}}}}, duration: $d) {{ values {{ values {{ value }} }} }}"
        for index, one in enumerate(instances)
        for metric in _METRICS
    ]
    return f"query($d: Duration!) {{ {' '.join(reads)} }}"


def _minutes(first: float, last: float) -> Iterator[datetime]:
    minute = datetime.fromtimestamp(first, UTC).replace(second=0, microsecond=0)
    while minute.timestamp() <= last:
        yield minute
        minute += timedelta(minutes=1)
