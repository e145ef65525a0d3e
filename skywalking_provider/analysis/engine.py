"""Engine of measurements: from a request to a measurement that Argo stores."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import structlog

from skywalking_provider.analysis import message
from skywalking_provider.analysis import verdict as verdicts
from skywalking_provider.analysis.attempt import Attempt, AttemptEvaluator
from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.analysis.evaluation import ConditionEvaluator, select_conditions
from skywalking_provider.analysis.events import MeasurementDetails, MeasurementEvent, MeasurementListener
from skywalking_provider.analysis.judging import JudgeSides, judge_sides
from skywalking_provider.analysis.rendering import MAX_VALUE, build_measurement
from skywalking_provider.analysis.verdict import Verdict
from skywalking_provider.block import Spec, parse_block
from skywalking_provider.errors import BackendUnavailableError, ProviderError, Reason
from skywalking_provider.model import Deadline, Entity, EntitySet, Measurement, Metric, Phase, Run
from skywalking_provider.oap import Backend, BackendRegistry
from skywalking_provider.queries import Query, query_for

_RESERVE_SECONDS = 0.25
"""Part of a deadline that is left for the verdict and the response after the last request."""

_INTERNAL_ERROR = "The provider has a bug. Report it with the traceback in its log"

_log = structlog.get_logger()


class Engine:
    """Runs measurements.

    It is stateless: any replica can resume a measurement that another one started. The verdict cache is an
    optimisation only.

    Args:
        backends: Connected backends.
        evaluator: Evaluator of conditions.
        now: Clock of this process, with its time zone.
        listeners: Listeners that receive an event for each attempt.
        monotonic: Monotonic clock in seconds, for durations and the verdict cache.
        cause_limits: Limits of the reads of the cause of a Failed verdict.
        new_query: Returns the query of a spec. A replay has its own, which decodes recorded responses once.
        judge: Judges the minutes of a judged block. A replay continues from the look before.
    """

    def __init__(
        self,
        backends: BackendRegistry,
        evaluator: ConditionEvaluator,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        listeners: Sequence[MeasurementListener] = (),
        monotonic: Callable[[], float] = time.monotonic,
        cause_limits: CauseLimits = CauseLimits(),  # noqa: B008 - frozen
        new_query: Callable[[Spec], Query] = query_for,
        judge: JudgeSides = judge_sides,
    ) -> None:
        self._new_query = new_query
        self._backends = backends
        self._now = now
        self._listeners = listeners
        self._monotonic = monotonic
        self._attempts = AttemptEvaluator(evaluator, now, monotonic, cause_limits, judge)

    async def run(self, metric: Metric, run: Run, deadline: Deadline) -> Measurement:
        """Start a measurement."""
        return await self._measure(metric, run, Measurement(Phase.PENDING, self._now()), deadline)

    async def resume(self, metric: Metric, run: Run, measurement: Measurement, deadline: Deadline) -> Measurement:
        """Resume a measurement on the same path. Its window still follows from its start."""
        if measurement.phase.completed:
            return measurement
        return await self._measure(metric, run, measurement, deadline)

    async def reject(
        self, metric: Metric, run: Run, error: ProviderError, measurement: Measurement | None = None
    ) -> Measurement:
        """Return the measurement of a request that is not processed, and report it as any other measurement.

        Args:
            metric: Metric of the request.
            run: Its AnalysisRun.
            error: Cause. A `BackendUnavailableError` is retried within `outageGrace`, as an unavailable backend.
            measurement: Measurement to resume; None for a new one.
        """
        if measurement is not None and measurement.phase.completed:
            return measurement
        previous = measurement or Measurement(Phase.PENDING, self._now())
        return await self._measure(metric, run, previous, Deadline.after(0), error)

    def metadata(self, metric: Metric) -> dict[str, str]:
        """Return the facts that follow from a metric's block alone; the key `error` describes an invalid block."""
        try:
            spec = parse_block(metric.block)
            return query_for(spec).describe(self._backend_for_metadata(spec)).to_metadata()
        except ProviderError as error:
            return {"error": message.truncate_message(f"{error.reason} {error}")}
        except Exception:  # noqa: BLE001 - a bug in one metric must not affect others
            _log.exception("metadata failed", metric=metric.name)
            return {"error": f"{Reason.PROVIDER_INTERNAL} {_INTERNAL_ERROR}"}

    def _named_entities(self, metric: Metric, namespace: str) -> EntitySet | None:
        """Return the services or the endpoint that a block names; None if it names none, or is invalid."""
        try:
            spec = parse_block(metric.block)
            backend, query = self._backends.select(spec.backend, spec.address, namespace), query_for(spec)
            description = query.describe(backend)
            names = query.services_by_name(backend) or tuple(filter(None, [description.service]))
        except ProviderError:
            return None
        members = tuple(Entity(name, endpoint=description.endpoint or None) for name in names)
        return EntitySet(members) if members else None

    def _backend_for_metadata(self, spec: Spec) -> Backend | None:
        """Return the backend of a block if every namespace may use it.

        Argo requests metadata without a namespace, so a restricted backend must not be disclosed.
        """
        try:
            return self._backends.select(spec.backend, spec.address, None)
        except ProviderError:
            if self._backends.restricted:
                return None
            raise

    async def _measure(
        self,
        metric: Metric,
        run: Run,
        previous: Measurement,
        deadline: Deadline,
        rejection: ProviderError | None = None,
    ) -> Measurement:
        started_at, details, value = self._monotonic(), MeasurementDetails(), ""
        try:
            attempt = self._prepare(metric, run, previous, deadline, started_at, details, rejection)
            verdict, value = await self._attempts.evaluate(attempt, details)
        except ProviderError as error:
            verdict = verdicts.on_error(error)
        except Exception:  # noqa: BLE001 - a bug in one measurement must not affect others
            _log.exception("measurement failed", metric=metric.name, namespace=run.namespace, analysisrun=run.name)
            verdict = Verdict(Phase.ERROR, Reason.PROVIDER_INTERNAL, _INTERNAL_ERROR)
        verdict = replace(verdict, detail=self._backends.redact(verdict.detail, run.namespace))
        value = await self._redact_value(value, run.namespace)
        measurement = build_measurement(verdict, value, previous, self._now())
        self._notify_listeners(
            MeasurementEvent(
                metric,
                run,
                measurement,
                verdict.reason,
                details,
                seconds=self._monotonic() - started_at,
                detail=message.truncate_message(verdict.detail),
                facts=partial(self.metadata, metric),
                named_entities=partial(self._named_entities, metric, run.namespace),
            )
        )
        return measurement

    async def _redact_value(self, value: str, namespace: str) -> str:
        if len(value) <= MAX_VALUE:
            return self._backends.redact_json_text(value, namespace)
        # The longest values have 1 MiB. If all of it is escapes, they take half a second.
        return await asyncio.to_thread(self._backends.redact_json_text, value, namespace)

    def _prepare(
        self,
        metric: Metric,
        run: Run,
        previous: Measurement,
        deadline: Deadline,
        started_at: float,
        details: MeasurementDetails,
        rejection: ProviderError | None,
    ) -> Attempt:
        """Parse the block, and select conditions and backend."""
        if rejection is not None and not isinstance(rejection, BackendUnavailableError):
            raise rejection
        spec = parse_block(metric.block)
        conditions = select_conditions(spec, metric)
        details.success, details.failure, details.cel = conditions.success, conditions.failure, conditions.cel
        backend = self._backends.select(spec.backend, spec.address, run.namespace)
        details.backend = backend.connection.name
        deadline = deadline.minus(_RESERVE_SECONDS)
        return Attempt(
            metric, run, previous, spec, self._new_query(spec), conditions, backend, deadline, started_at, rejection
        )

    def _notify_listeners(self, event: MeasurementEvent) -> None:
        """Call each listener. A listener that fails affects neither the measurement nor other listeners."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - see above
                with suppress(Exception):  # the log itself may fail, too
                    _log.exception(
                        "measurement listener failed", metric=event.metric.name, namespace=event.run.namespace
                    )
