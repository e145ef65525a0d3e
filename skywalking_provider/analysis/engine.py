"""The path of one measurement, in one direction: block, clock, window, reads, conditions, verdict."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from skywalking_provider.analysis import message
from skywalking_provider.analysis import verdict as judge
from skywalking_provider.analysis.evaluation import ConditionEvaluator, MetricConditions, select_conditions
from skywalking_provider.analysis.events import MeasurementDetails, MeasurementEvent, MeasurementListener
from skywalking_provider.analysis.verdict import Verdict, WaitBudget
from skywalking_provider.analysis.verdict_cache import CachedVerdict, VerdictCache, VerdictKey
from skywalking_provider.analysis.window import MeasurementWindow, resolve_window
from skywalking_provider.block import Spec, parse_block
from skywalking_provider.conditions import Evaluation
from skywalking_provider.errors import BackendUnavailableError, EntityNotFoundError, ProviderError, Reason
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import Backend, BackendRegistry
from skywalking_provider.queries import CollectedSample, Diagnosis, query_for
from skywalking_provider.support import go_json

MAX_VALUE = 32 * 1024  # characters of one value: Argo keeps ten measurements of a metric in one object
_RESERVE_SECONDS = 0.25  # left of a deadline for judging and answering

LAST_UNAVAILABLE_KEY = "skywalking/lastAway"
"""Metadata of a waiting measurement: when the OAP was last away. It is all that any replica needs to know."""

_BUG = "a bug in the provider; its log has the traceback, please report it"
_UNAVAILABLE_REASONS = (Reason.OAP_UNAVAILABLE, Reason.PROVIDER_OVERLOADED)
_NEVER = datetime.min.replace(tzinfo=UTC)

_log = structlog.get_logger()


class Engine:
    """Answers for measurements. It holds no state of any: every replica can go on with what another began.

    What it keeps serves others for a moment, and nobody needs it.

    Args:
        backends: The connected OAPs.
        evaluator: The condition languages.
        now: Our clock, aware.
        listeners: Told of every answer.
    """

    def __init__(
        self,
        backends: BackendRegistry,
        evaluator: ConditionEvaluator,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        listeners: Sequence[MeasurementListener] = (),
    ) -> None:
        self._backends = backends
        self._evaluator = evaluator
        self._now = now
        self._listeners = listeners
        self._verdict_cache = VerdictCache()

    async def run(self, metric: Metric, run: Run, deadline: Deadline) -> Measurement:
        """Begin a measurement."""
        return await self._measure(metric, run, Measurement(Phase.PENDING, self._now()), deadline)

    async def resume(self, metric: Metric, run: Run, measurement: Measurement, deadline: Deadline) -> Measurement:
        """Go on with a measurement: the same path, from the moment at which it began."""
        if measurement.phase.completed:
            return measurement
        return await self._measure(metric, run, measurement, deadline)

    def metadata(self, metric: Metric) -> dict[str, str]:
        """The facts of a metric by its text alone; the key `error` says what is wrong with the block."""
        try:
            spec = parse_block(metric.block)
            return query_for(spec).describe(self._backend_for_metadata(spec)).to_metadata()
        except ProviderError as error:
            return {"error": message.truncate_message(f"{error.reason} {error}")}
        except Exception:  # noqa: BLE001 - as below
            _log.exception("metadata failed", metric=metric.name)
            return {"error": f"{Reason.PROVIDER_INTERNAL} {_BUG}"}

    def _backend_for_metadata(self, spec: Spec) -> Backend | None:
        """A backend that everybody may use. Argo does not say who asks for metadata; nobody learns of the others."""
        try:
            return self._backends.select(spec.backend, spec.address, None)
        except ProviderError:
            if self._backends.restricted:
                return None
            raise

    async def _measure(self, metric: Metric, run: Run, previous: Measurement, deadline: Deadline) -> Measurement:
        began, trail, value = time.monotonic(), MeasurementDetails(), ""
        try:
            verdict, value = await self._evaluate(metric, run, previous, deadline.minus(_RESERVE_SECONDS), trail)
        except ProviderError as error:
            verdict = judge.on_error(error)
        except Exception:  # noqa: BLE001 - a bug in one measurement is never another's trouble
            _log.exception("measurement failed", metric=metric.name, namespace=run.namespace, analysisrun=run.name)
            verdict = Verdict(Phase.ERROR, Reason.PROVIDER_INTERNAL, _BUG)
        verdict = replace(verdict, detail=self._backends.redact(verdict.detail, run.namespace))
        measurement = self._render(verdict, value, run, previous)
        seconds = time.monotonic() - began
        self._notify_listeners(
            MeasurementEvent(
                metric,
                run,
                measurement,
                verdict.reason,
                trail,
                seconds,
                message.truncate_message(verdict.detail),
                partial(self.metadata, metric),
            )
        )
        return measurement

    def _notify_listeners(self, event: MeasurementEvent) -> None:
        for watch in self._listeners:
            try:
                watch(event)
            except Exception:  # noqa: BLE001 - who watches must not change what is seen
                with suppress(Exception):  # not even where it is the log that fails
                    _log.exception(
                        "measurement listener failed", metric=event.metric.name, namespace=event.run.namespace
                    )

    async def _evaluate(
        self, metric: Metric, run: Run, previous: Measurement, deadline: Deadline, details: MeasurementDetails
    ) -> tuple[Verdict, str]:
        began = time.monotonic()
        spec = parse_block(metric.block)
        conditions = select_conditions(spec, metric)
        details.success, details.failure = conditions.success, conditions.failure
        backend = self._backends.select(spec.backend, spec.address, run.namespace)
        details.backend = backend.connection.name
        try:
            frame = await resolve_window(spec, backend, run, previous.started_at, self._now(), deadline)
            details.window = frame.window
            asked = VerdictKey(metric, backend, backend.connection.credentials_version(), frame.window)
            if (finished := self._verdict_cache.get(asked)) is not None:
                backend.connection.count_cache_hit()
                _record_details(details, finished.collected_sample)
                return finished.verdict, finished.value
            patience = self._wait_budget(spec, run, frame, previous)
            if not frame.window.buckets:
                what = f"no minute since the run's start has closed yet · backend {backend.connection.name}"
                return judge.on_missing_data(Reason.NO_DATA, what, spec.on_no_data, patience), ""
            query = query_for(spec)
            answered = await query.collect(backend, frame.window, deadline)
            _record_details(details, answered)
            diagnosis = Diagnosis()
            if answered.sample.empty_series:
                diagnosis = await query.diagnose(answered.sample, backend, deadline)
            if verdict := _missing_data_verdict(spec, backend, frame, answered, patience, diagnosis):
                return verdict, ""
            result = go_json.dump(answered.sample.result)
            judged = await self._evaluator.evaluate(conditions, result, deadline)
        except BackendUnavailableError as error:
            return judge.on_backend_unavailable(
                error, spec.outage_grace, spec.on_outage, previous.started_at, self._now()
            ), ""
        except EntityNotFoundError as error:
            return judge.on_entity_not_found(error, patience), ""
        except RecursionError as error:
            raise ProviderError(Reason.OAP_RESPONSE_INVALID, "the answer is nested too deeply") from error
        verdict = _build_verdict(conditions, judged, answered, frame, backend)
        self._verdict_cache.put(
            asked, CachedVerdict(verdict, _measurement_value(judged, spec), answered, len(result)), began
        )
        return verdict, _measurement_value(judged, spec)

    def _wait_budget(
        self, spec: Spec, run: Run, measurement_window: MeasurementWindow, previous: Measurement
    ) -> WaitBudget:
        counted_from = max(
            measurement_window.wait_starts_at, _last_unavailable_at(previous)
        )  # an outage must not eat what data may take
        return WaitBudget(
            spec.max_wait_for(background=run.background), counted_from, self._now(), measurement_window.next_bucket
        )

    def _render(self, verdict: Verdict, value: str, run: Run, previous: Measurement) -> Measurement:
        metadata: dict[str, str] = {}
        if not verdict.phase.completed:  # Argo hides finished measurements that have any
            away = self._now() if verdict.reason in _UNAVAILABLE_REASONS else _last_unavailable_at(previous)
            metadata = {LAST_UNAVAILABLE_KEY: away.isoformat()} if away > _NEVER else {}
        return Measurement(
            phase=verdict.phase,
            started_at=previous.started_at,
            message=message.message_for(verdict),
            value=self._backends.redact_json_text(value, run.namespace),
            finished_at=self._now() if verdict.phase.completed else None,
            resume_at=_ceil_second(verdict.resume_at) if verdict.resume_at else None,
            metadata=metadata,
        )


def _record_details(details: MeasurementDetails, collected_sample: CollectedSample) -> None:
    details.sample, details.requests, details.subject = (
        collected_sample.sample,
        collected_sample.requests,
        collected_sample.subject,
    )


def _last_unavailable_at(previous: Measurement) -> datetime:
    """When the measurement last met an OAP that was away, by its own account."""
    try:
        away = datetime.fromisoformat(previous.metadata.get(LAST_UNAVAILABLE_KEY, ""))
    except ValueError:
        return _NEVER
    return away if away.tzinfo else _NEVER


def _build_verdict(
    conditions: MetricConditions,
    evaluation: Evaluation,
    collected_sample: CollectedSample,
    measurement_window: MeasurementWindow,
    backend: Backend,
) -> Verdict:
    success, failure = conditions.success, conditions.failure
    reason = judge.select_reason(evaluation.phase, success=bool(success), failure=bool(failure))
    if reason in (None, Reason.CONDITION_ERROR):
        return Verdict(evaluation.phase, reason, evaluation.message)
    wanted = message.format_conditions(success, failure)
    because = message.describe_sample(
        collected_sample.sample, wanted, collected_sample.subject, measurement_window.window, backend.connection.name
    )
    return Verdict(evaluation.phase, reason, because)


def _missing_data_verdict(
    spec: Spec,
    backend: Backend,
    measurement_window: MeasurementWindow,
    collected_sample: CollectedSample,
    wait_budget: WaitBudget,
    diagnosis: Diagnosis,
) -> Verdict | None:
    sample, of, window = collected_sample.sample, collected_sample.subject, measurement_window.window
    if sample.empty_series:
        what = message.no_data(sample, of, window, backend.connection.name, diagnosis.text)
        return judge.on_missing_data(Reason.NO_DATA, what, spec.on_no_data, wait_budget)
    if spec.required_calls > (sample.calls or 0):
        what = message.too_few_calls(sample, spec.required_calls, of, window, backend.connection.name)
        return judge.on_missing_data(Reason.TOO_FEW_CALLS, what, spec.on_no_data, wait_budget)
    return None


def _ceil_second(instant: datetime) -> datetime:
    """Argo stores whole seconds; rounding down would wake a measurement too early."""
    floor = instant.replace(microsecond=0)
    return floor if floor == instant else floor + timedelta(seconds=1)


def _measurement_value(evaluation: Evaluation, spec: Spec) -> str:
    if evaluation.phase is Phase.ERROR:
        return ""  # as Argo: an Error keeps no value
    if len(evaluation.value) <= MAX_VALUE or spec.argo_compatible:
        return evaluation.value
    return json.dumps(
        f"omitted: the result has {len(evaluation.value)} characters; at most {MAX_VALUE} are kept in an AnalysisRun"
    )
