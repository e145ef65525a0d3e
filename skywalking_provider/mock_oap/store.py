"""Contents of OAP's storage: the calls of the scenario up to the last flush before the current time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from skywalking_provider.mock_oap.aggregation import Calls, Distributed, Tally, distribute
from skywalking_provider.mock_oap.clock import MINUTE, MockClock
from skywalking_provider.mock_oap.duration import Duration, TimeBucket
from skywalking_provider.mock_oap.entity_ids import EntityKey, MetricScope, encode
from skywalking_provider.mock_oap.events import EventStore
from skywalking_provider.mock_oap.metric_catalog import MetricDefinition
from skywalking_provider.mock_oap.scenario import Scenario, ScenarioInstance, ScenarioService, Traffic

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Stream:
    """Calls that share a schedule, and the instances that they are assigned to round robin."""

    phases: tuple[Traffic, ...]
    instances: tuple[str, ...]
    """Names of instances; of relations, the pairs of a calling and a called one."""


class Store:
    """Computes values from a scenario and the clock: equal instants give equal values. Events are the only state."""

    def __init__(self, scenario: Scenario, clock: MockClock) -> None:
        self.clock = clock
        self.events = EventStore(clock)
        self.set_scenario(scenario)

    def set_scenario(self, scenario: Scenario) -> None:
        """Switch to a scenario."""
        self.scenario = scenario
        self._services = {(service.name, service.normal): service for service in scenario.services}

    # -- metadata

    def services(self, layer: str | None = None) -> list[ScenarioService]:
        """Return the services that are known at the current time, of one layer or of all."""
        now = self._minute(self.clock.now())
        return [
            service
            for service in self.scenario.services
            if (service.begin is None or service.begin <= now) and (layer is None or layer in service.layers)
        ]

    def service(self, name: str, *, normal: bool) -> ScenarioService | None:
        """Return a service if it is known at the current time."""
        service = self._services.get((name, normal))
        return service if service in self.services() else None

    def instances(self, service: ScenarioService, duration: Duration) -> list[ScenarioInstance]:
        """Return the instances that were alive in the duration."""
        first = self._minute(_instant(duration.buckets[0]))
        last = self._minute(_instant(duration.buckets[-1]) + duration.step.width - timedelta(microseconds=1))
        last = min(last, self._minute(self.clock.now()))
        return [instance for instance in service.instances if instance.is_listed(first, last)]

    # -- metrics

    def value(self, metric: MetricDefinition, entity: EntityKey, bucket: TimeBucket) -> int | None:
        """Return a metric of an entity in a bucket; None if the bucket is absent."""
        tally = self.tally(metric, entity, bucket)
        if tally is None or metric.value is None:
            return None
        return metric.value(tally, bucket.step.minutes)

    def percentiles(self, metric: MetricDefinition, entity: EntityKey, bucket: TimeBucket) -> tuple[int, ...] | None:
        """Return all percentiles of an entity in a bucket; None if the bucket is absent."""
        tally = self.tally(metric, entity, bucket)
        return None if tally is None else tally.percentiles()

    def tally(self, metric: MetricDefinition, entity: EntityKey, bucket: TimeBucket) -> Tally | None:
        """Return the visible calls of an entity in a bucket that a metric counts; None if there are none."""
        service, streams = self._find_streams(metric, entity)
        if service is None or not bucket.readable:
            return None
        total = Tally(service.apdex_threshold)
        now, earliest = self.clock.now(), self._earliest(streams)
        end = _instant(bucket) + bucket.step.width + MINUTE * 180
        if earliest is None or end < earliest:
            return None
        pick = _picker(entity)
        for minute in bucket.minutes():
            if minute > now:
                break
            if minute < earliest:
                continue
            for calls, visible in self._calls(service, streams, minute, now):
                tally = pick(distribute(calls, visible)) if visible else None
                if tally is not None:
                    total.merge(tally)
        return total if total.calls else None

    def calls_at(self, service: ScenarioService, minute: datetime) -> list[tuple[Calls, int]]:
        """Return the calls of a service in a minute, each group with its number of visible calls."""
        now = self.clock.now()
        return self._calls(service, _service_streams(service), minute, now) if minute <= now else []

    # -- the scenario's minutes

    def _minute(self, instant: datetime) -> int:
        return (instant - self.clock.start) // MINUTE

    def _earliest(self, streams: Sequence[_Stream]) -> datetime | None:
        begins = [traffic.begin for stream in streams for traffic in stream.phases]
        return self.clock.start + min(begins) * MINUTE if begins else None

    def _find_streams(
        self, metric: MetricDefinition, entity: EntityKey
    ) -> tuple[ScenarioService | None, Sequence[_Stream]]:
        """Return the service that receives the calls that a metric of an entity counts, and its streams of calls."""
        called = entity.dest or entity
        service = self._services.get((called.service, called.normal))
        if service is None:
            return None, ()
        if entity.dest:
            return service, self._caller_streams(metric, entity, service)
        has_metric = metric.layer in service.layers if metric.layer else not service.is_virtual
        return service, _service_streams(service) if has_metric else ()

    def _caller_streams(self, metric: MetricDefinition, relation: EntityKey, service: ScenarioService) -> list[_Stream]:
        """Return the streams of calls from one service to another, spread over all pairs of their instances."""
        caller = self._services.get((relation.service, relation.normal))
        pairs = tuple(
            _pair(source.name, dest.name)
            for dest in service.instances
            for source in (caller.instances if caller else ())
        )
        return [
            _Stream(one.traffic, pairs)
            for one in service.callers
            if (one.service, one.normal) == (relation.service, relation.normal)
            and metric.detect_point in one.detected_by
        ]

    def _calls(
        self, service: ScenarioService, streams: Sequence[_Stream], minute: datetime, now: datetime
    ) -> list[tuple[Calls, int]]:
        """Return the calls of a minute in each stream, with the number of visible calls."""
        index = self._minute(minute)
        shares = []
        for stream in streams:
            for traffic in stream.phases:
                if traffic.covers(index):
                    calls = Calls(
                        traffic.calls,
                        traffic.failure_count,
                        traffic.latencies,
                        stream.instances,
                        traffic.endpoints or service.endpoints,
                        service.apdex_threshold,
                    )
                    shares.append((calls, self._visible(traffic, minute, now)))
        return shares

    def _visible(self, traffic: Traffic, minute: datetime, now: datetime) -> int:
        """Return the number of visible calls of a minute: those before the last flush, minus the delay."""
        flushed = now - (now - _EPOCH) % self.scenario.flush_period
        share = (flushed - timedelta(seconds=traffic.delay) - minute) / MINUTE
        return int(traffic.calls * min(max(share, 0.0), 1.0))


def _instant(bucket: TimeBucket) -> datetime:
    return bucket.local.replace(tzinfo=bucket.zone).astimezone(UTC)


def _service_streams(service: ScenarioService) -> list[_Stream]:
    sharing = tuple(instance.name for instance in service.instances if not instance.traffic)
    own = [_Stream(instance.traffic, (instance.name,)) for instance in service.instances if instance.traffic]
    return [_Stream(service.traffic, sharing), *own]


def _pair(source: str, dest: str) -> str:
    return f"{encode(source)}-{encode(dest)}"


def _picker(entity: EntityKey) -> Callable[[Distributed], Tally | None]:
    match entity.scope:
        case MetricScope.SERVICE | MetricScope.SERVICE_RELATION:
            return lambda distributed: distributed.whole
        case MetricScope.INSTANCE:
            return lambda distributed: distributed.instances.get(entity.child)
        case MetricScope.ENDPOINT:
            return lambda distributed: distributed.endpoints.get(entity.child)
        case MetricScope.INSTANCE_RELATION:
            pair = _pair(entity.child, entity.dest.child if entity.dest else "")
            return lambda distributed: distributed.instances.get(pair)
