"""The path of one measurement, in one direction: block, clock, window, reads, conditions, verdict."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from skywalking_provider import explain, judge
from skywalking_provider.conditions import Conditions, Judged, jsontext
from skywalking_provider.errors import BackendAway, ProviderError, Reason
from skywalking_provider.judge import Verdict
from skywalking_provider.model import Deadline, Measurement, Metric, OapTime, Phase, Run, Window
from skywalking_provider.oap import Backend, Backends
from skywalking_provider.plan import argo_window, closed_window, next_bucket, read_for
from skywalking_provider.series import Series, errors_of, series_of
from skywalking_provider.spec import Spec, parse_block
from skywalking_provider.spec.duration import format_duration

MAX_VALUE = 32 * 1024  # characters of one value: Argo keeps ten measurements of a metric in one object
_CONDITION_SECONDS = 1.0
_RESERVE_SECONDS = 0.25  # left of a deadline for judging and answering

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question, complete: what to read, from whom, for which window."""

    spec: Spec
    metric: Metric
    backend: Backend
    window: Window
    next_bucket: datetime


class Engine:
    """Answers for measurements. It holds no state of any: every replica can go on with what another began.

    Args:
        backends: The connected OAPs.
        conditions: Argo's condition language.
        now: Our clock, aware.
    """

    def __init__(
        self, backends: Backends, conditions: Conditions, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._backends = backends
        self._conditions = conditions
        self._now = now

    async def run(self, metric: Metric, run: Run, deadline: Deadline) -> Measurement:
        """Begin a measurement."""
        return await self._measure(metric, run, self._now(), deadline)

    async def resume(self, metric: Metric, run: Run, measurement: Measurement, deadline: Deadline) -> Measurement:
        """Go on with a measurement: the same path, from the moment at which it began."""
        if measurement.phase.completed:
            return measurement
        return await self._measure(metric, run, measurement.started_at, deadline)

    def metadata(self, metric: Metric) -> dict[str, str]:
        """The facts of a metric by its text alone; the key `error` says what is wrong with the block."""
        try:
            spec = parse_block(metric.block)
            backend = self._backends.select(spec.backend, spec.address)
        except ProviderError as error:
            return {"error": explain.bounded(f"{error.reason} {error}")}
        return {
            "ResolvedSkyWalkingQuery": spec.query,
            "backend": backend.name,
            "window": format_duration(spec.interval)
            + (" up to now, the unfinished minute included (compatibility: argo)" if spec.compatibility else ""),
        }

    async def _measure(self, metric: Metric, run: Run, started_at: datetime, deadline: Deadline) -> Measurement:
        value = ""
        try:
            verdict, value = await self._judge(metric, run, started_at, deadline.earlier_by(_RESERVE_SECONDS))
        except ProviderError as error:
            verdict = judge.trouble(error)
        except Exception:  # noqa: BLE001 - a bug in one measurement is never another's trouble
            _log.exception("measurement failed", metric=metric.name, namespace=run.namespace, analysisrun=run.name)
            verdict = Verdict(
                Phase.ERROR, Reason.INTERNAL, "a bug in the provider; its log has the traceback, please report it"
            )
        return self._render(verdict, value, started_at)

    async def _judge(self, metric: Metric, run: Run, started_at: datetime, deadline: Deadline) -> tuple[Verdict, str]:
        spec = parse_block(metric.block)
        backend = self._backends.select(spec.backend, spec.address)
        try:
            asked = await self._ask_for(spec, metric, backend, started_at, deadline)
            data = await backend.read(read_for(spec, asked.window), deadline)
        except BackendAway as error:
            return judge.outage(error, spec.outage_grace, spec.on_outage, started_at, self._now()), ""
        series = series_of(data)
        if spec.compatibility is None and (verdict := self._without_data(asked, data, series, run, started_at)):
            return verdict, ""
        judged = await self._conditions.evaluate(
            metric.success_condition,
            metric.failure_condition,
            jsontext.dump(data),
            timeout=min(_CONDITION_SECONDS, deadline.remaining),
        )
        return _verdict(asked, judged, series), "" if judged.phase is Phase.ERROR else _bounded_value(judged.value)

    async def _ask_for(
        self, spec: Spec, metric: Metric, backend: Backend, started_at: datetime, deadline: Deadline
    ) -> _Asked:
        now = self._now()
        if spec.compatibility:  # the built-in provider knows neither OAP's clock nor its zone
            window = argo_window(spec.interval, now.astimezone())
            return _Asked(spec, metric, backend, window, now + timedelta(minutes=1))
        time = await backend.time(deadline)
        settle = backend.settle if spec.settle is None else spec.settle
        window = closed_window(spec.interval, settle, time.at(started_at), time.at(now))
        return _Asked(spec, metric, backend, window, _ours(time, next_bucket(settle, time.at(now))))

    def _without_data(
        self, asked: _Asked, data: Mapping[str, Any], series: list[Series], run: Run, started_at: datetime
    ) -> Verdict | None:
        for field, words in errors_of(data):
            raise ProviderError(Reason.QUERY_INVALID, f"{field}: {words}")
        silent = [one for one in series if not one.present]
        if not silent:
            return None
        return judge.silence(
            explain.nothing_in(silent, asked.window, asked.backend.name),
            asked.spec.longest_wait(background=run.background),
            asked.spec.on_no_data,
            started_at,
            self._now(),
            asked.next_bucket,
        )

    def _render(self, verdict: Verdict, value: str, started_at: datetime) -> Measurement:
        return Measurement(
            phase=verdict.phase,
            started_at=started_at,
            message=explain.message_of(verdict),
            value=value,
            finished_at=self._now() if verdict.phase.completed else None,
            resume_at=_whole_second(verdict.resume_at) if verdict.resume_at else None,
        )


def _verdict(asked: _Asked, judged: Judged, series: list[Series]) -> Verdict:
    metric = asked.metric
    reason = judge.reason_of(
        judged.phase, success=bool(metric.success_condition), failure=bool(metric.failure_condition)
    )
    if reason in (None, Reason.CONDITION_ERROR):
        return Verdict(judged.phase, reason, judged.message)
    wanted = explain.conditions_of(metric.success_condition, metric.failure_condition)
    return Verdict(judged.phase, reason, explain.measured(series, wanted, asked.window, asked.backend.name))


def _ours(time: OapTime, theirs: datetime) -> datetime:
    return time.ours(theirs).astimezone(UTC)


def _whole_second(instant: datetime) -> datetime:
    """Argo stores whole seconds; rounding down would wake a measurement too early."""
    floor = instant.replace(microsecond=0)
    return floor if floor == instant else floor + timedelta(seconds=1)


def _bounded_value(value: str) -> str:
    if len(value) <= MAX_VALUE:
        return value
    return json.dumps(
        f"omitted: the result has {len(value)} characters; at most {MAX_VALUE} are kept in an AnalysisRun"
    )
