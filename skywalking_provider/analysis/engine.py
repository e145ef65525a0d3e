"""Engine of measurements: the path from a metric to a verdict."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import structlog

from skywalking_provider.analysis import message
from skywalking_provider.analysis import verdict as verdicts
from skywalking_provider.analysis.evaluation import ConditionEvaluator, MetricConditions, select_conditions
from skywalking_provider.analysis.events import MeasurementDetails, MeasurementEvent, MeasurementListener
from skywalking_provider.analysis.rendering import MAX_VALUE, build_measurement, format_value, last_unavailable_at
from skywalking_provider.analysis.result_encoding import encode_result
from skywalking_provider.analysis.verdict import Verdict, WaitBudget
from skywalking_provider.analysis.verdict_cache import CachedVerdict, VerdictCache, VerdictKey
from skywalking_provider.analysis.window import MeasurementWindow, resolve_window
from skywalking_provider.block import Spec, parse_block
from skywalking_provider.conditions import Evaluation
from skywalking_provider.errors import BackendUnavailableError, EntityNotFoundError, ProviderError, Reason
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import Backend, BackendRegistry
from skywalking_provider.oap.api.server_time import describe_clock_skew
from skywalking_provider.queries import CollectedSample, Diagnosis, query_for
from skywalking_provider.queries.earlier_pods import EarlierCalls, count_suspect_buckets, end_of_earlier_calls
from skywalking_provider.queries.unknown_service import describe_unknown_calls

_RESERVE_SECONDS = 0.25
"""Part of a deadline that is left for the verdict and the response after the last request."""

_INTERNAL_ERROR = "The provider has a bug. Report it with the traceback in its log"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Inputs of one attempt to complete a measurement."""

    metric: Metric
    run: Run
    previous: Measurement
    spec: Spec
    conditions: MetricConditions
    backend: Backend
    deadline: Deadline
    started_at: float  # on the monotonic clock
    rejection: BackendUnavailableError | None = None


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
    """

    def __init__(
        self,
        backends: BackendRegistry,
        evaluator: ConditionEvaluator,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        listeners: Sequence[MeasurementListener] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backends = backends
        self._evaluator = evaluator
        self._now = now
        self._listeners = listeners
        self._monotonic = monotonic
        self._verdict_cache = VerdictCache(monotonic)

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
            verdict, value = await self._attempt(attempt, details)
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
            )
        )
        return measurement

    async def _redact_value(self, value: str, namespace: str) -> str:
        if len(value) <= MAX_VALUE:
            return self._backends.redact_json_text(value, namespace)
        # The longest values have 1 MiB. If all of it is escapes, they take 300 ms.
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
    ) -> _Attempt:
        """Parse the block, and select conditions and backend."""
        if rejection is not None and not isinstance(rejection, BackendUnavailableError):
            raise rejection
        spec = parse_block(metric.block)
        conditions = select_conditions(spec, metric)
        details.success, details.failure, details.cel = conditions.success, conditions.failure, conditions.cel
        backend = self._backends.select(spec.backend, spec.address, run.namespace)
        details.backend = backend.connection.name
        deadline = deadline.minus(_RESERVE_SECONDS)
        return _Attempt(metric, run, previous, spec, conditions, backend, deadline, started_at, rejection)

    async def _attempt(self, attempt: _Attempt, details: MeasurementDetails) -> tuple[Verdict, str]:
        """Return the verdict and the value of an attempt. An unavailable backend is a verdict, too."""
        spec, started_at = attempt.spec, attempt.previous.started_at
        try:
            if attempt.rejection is not None:
                raise attempt.rejection
            window = await resolve_window(spec, attempt.backend, attempt.run, started_at, self._now(), attempt.deadline)
            details.window, details.clock_offset = window.window, window.clock_offset
            return await self._evaluate_window(attempt, window, details)
        except BackendUnavailableError as error:
            return verdicts.on_backend_unavailable(
                error, spec.outage_grace, spec.on_outage, started_at, self._now()
            ), ""
        except RecursionError as error:
            raise ProviderError(Reason.OAP_RESPONSE_INVALID, "the response is nested too deeply") from error

    async def _evaluate_window(
        self, attempt: _Attempt, window: MeasurementWindow, details: MeasurementDetails
    ) -> tuple[Verdict, str]:
        backend, requested = attempt.backend, window.window
        earlier = await _find_earlier_calls(attempt, window)
        if earlier is not None:
            window = window.starting_at(earlier.end)
            details.window = window.window if window.window.buckets else requested
        key = VerdictKey(attempt.metric, backend, backend.connection.credentials_version(), window.window)
        if (cached := self._verdict_cache.get(key)) is not None:
            backend.connection.count_cache_hit()
            _record_sample(details, cached.collected_sample)
            details.evaluated = True
            return cached.verdict, cached.value
        wait_budget = self._wait_budget(attempt, window)
        if earlier is not None and not window.window.buckets:
            origin = message.Origin(requested, backend.connection.name, self._now(), window.clock_offset)
            unknown = await describe_unknown_calls(backend, requested, attempt.deadline)
            detail = message.only_earlier_pods(earlier.pods, origin, unknown)
            return verdicts.on_missing_data(Reason.NO_DATA, detail, attempt.spec.on_no_data, wait_budget), ""
        if not window.window.buckets:
            skew = describe_clock_skew(window.clock_offset)
            clock = f" · the OAP's clock is {skew}" if skew else ""
            detail = f"no bucket since the start of the run has closed yet{clock} · backend {backend.connection.name}"
            return verdicts.on_missing_data(Reason.NO_DATA, detail, attempt.spec.on_no_data, wait_budget), ""
        if window.window.buckets == 1 and await _rejects_single_bucket(attempt):
            detail = f"one bucket has closed, and an OAP before 9.5 needs two · backend {backend.connection.name}"
            return verdicts.on_missing_data(Reason.NO_DATA, detail, attempt.spec.on_no_data, wait_budget), ""
        try:
            collected, diagnosis = await _collect_sample(attempt, window, details)
        except EntityNotFoundError as error:
            unknown = await describe_unknown_calls(backend, window.window, attempt.deadline)
            return verdicts.on_entity_not_found(error, wait_budget, unknown), ""
        origin = message.Origin(window.window, backend.connection.name, self._now(), window.clock_offset)
        if verdict := _missing_data_verdict(attempt, origin, collected, diagnosis, wait_budget):
            return verdict, ""
        result = await encode_result(collected.sample.result, backend.connection.worker)
        evaluation = await self._evaluator.evaluate(attempt.conditions, result, attempt.deadline, attempt.run.namespace)
        details.evaluated = True
        verdict, value = _build_verdict(attempt, origin, collected, evaluation), format_value(evaluation, attempt.spec)
        self._verdict_cache.put(key, CachedVerdict(verdict, value, collected, len(result)), attempt.started_at)
        return verdict, value

    def _wait_budget(self, attempt: _Attempt, window: MeasurementWindow) -> WaitBudget:
        """Return the wait budget for data. The time of an outage is not part of it."""
        now = self._now()
        return WaitBudget(
            wait=attempt.spec.max_wait,
            starts_at=max(window.wait_starts_at, last_unavailable_at(attempt.previous, now)),
            now=now,
            next_bucket=window.next_bucket,
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


async def _collect_sample(
    attempt: _Attempt, window: MeasurementWindow, details: MeasurementDetails
) -> tuple[CollectedSample, Diagnosis]:
    """Collect the sample, and diagnose its empty series or why it has too few calls."""
    query = query_for(attempt.spec)
    collected = await query.collect(attempt.backend, window.window, attempt.deadline)
    _record_sample(details, collected)
    if not collected.sample.empty_series:
        if attempt.spec.required_calls <= (collected.sample.calls or 0):
            return collected, Diagnosis()
        unknown = await describe_unknown_calls(attempt.backend, window.window, attempt.deadline)
        return collected, Diagnosis(text=unknown)
    diagnosis = await query.diagnose(collected.sample, attempt.backend, attempt.deadline)
    if diagnosis.text:
        return collected, diagnosis
    unknown = await describe_unknown_calls(attempt.backend, window.window, attempt.deadline)
    return collected, replace(diagnosis, text=unknown)


async def _rejects_single_bucket(attempt: _Attempt) -> bool:
    """Return whether the OAP is one that rejects a duration whose start and end are the same minute."""
    return not (await attempt.backend.connection.features(attempt.deadline)).supports_mqe


async def _find_earlier_calls(attempt: _Attempt, window: MeasurementWindow) -> EarlierCalls | None:
    """Return the calls of an earlier version's pods; None after the time in which an OAP uses their old names."""
    spec = attempt.spec
    if window.not_before is None or spec.earlier_pods == "include":
        return None
    suspect_buckets = count_suspect_buckets(window.window, window.not_before)
    if not suspect_buckets:
        return None
    return await end_of_earlier_calls(
        query_for(spec).services_by_name(attempt.backend),
        any_name=spec.earlier_pods == "exclude",
        run=attempt.run,
        backend=attempt.backend,
        window=window.window,
        suspect_buckets=suspect_buckets,
        deadline=attempt.deadline,
    )


def _record_sample(details: MeasurementDetails, collected: CollectedSample) -> None:
    details.sample, details.requests, details.subject = collected.sample, collected.requests, collected.subject


def _missing_data_verdict(
    attempt: _Attempt,
    origin: message.Origin,
    collected: CollectedSample,
    diagnosis: Diagnosis,
    wait_budget: WaitBudget,
) -> Verdict | None:
    """Return the verdict of a sample without data or with too few calls; None for any other sample."""
    sample, spec = collected.sample, attempt.spec
    if sample.empty_series:
        detail = message.no_data(sample, collected.subject, origin, diagnosis.text)
        return verdicts.on_missing_data(Reason.NO_DATA, detail, spec.on_no_data, wait_budget)
    if spec.required_calls > (sample.calls or 0):
        detail = message.too_few_calls(sample, spec.required_calls, collected.subject, origin, diagnosis.text)
        return verdicts.on_missing_data(Reason.TOO_FEW_CALLS, detail, spec.on_no_data, wait_budget)
    return None


def _build_verdict(
    attempt: _Attempt, origin: message.Origin, collected: CollectedSample, evaluation: Evaluation
) -> Verdict:
    success, failure = attempt.conditions.success, attempt.conditions.failure
    reason = verdicts.select_reason(evaluation.phase, success=bool(success), failure=bool(failure))
    if reason in (None, Reason.CONDITION_ERROR):
        return Verdict(evaluation.phase, reason, evaluation.message)
    detail = message.describe_sample(
        collected.sample,
        message.format_conditions(success, failure),
        collected.subject,
        origin,
    )
    return Verdict(evaluation.phase, reason, detail)
