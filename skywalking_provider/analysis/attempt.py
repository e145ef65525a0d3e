"""One attempt to complete a measurement: window, sample, conditions, verdict."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from skywalking_provider.analysis import message
from skywalking_provider.analysis import verdict as verdicts
from skywalking_provider.analysis.alarm_verdict import alarm_verdict
from skywalking_provider.analysis.cause import CauseLimits, FailedVerdict, add_cause, find_cause
from skywalking_provider.analysis.cause_cache import CauseCache
from skywalking_provider.analysis.evaluation import ConditionEvaluator, MetricConditions
from skywalking_provider.analysis.events import MeasurementDetails
from skywalking_provider.analysis.judgement_message import describe_values
from skywalking_provider.analysis.judging import Judgement, JudgeSides, position_of_worse
from skywalking_provider.analysis.rendering import format_value, last_unavailable_at
from skywalking_provider.analysis.result_encoding import encode_result
from skywalking_provider.analysis.sample_verdict import (
    condition_verdict,
    decides_without_data,
    depends_on_wait,
    judgement_verdict,
    missing_data_verdict,
)
from skywalking_provider.analysis.verdict import Verdict, WaitBudget
from skywalking_provider.analysis.verdict_cache import CachedVerdict, VerdictCache, VerdictKey
from skywalking_provider.analysis.window import MeasurementWindow, resolve_window
from skywalking_provider.block import Spec
from skywalking_provider.errors import BackendUnavailableError, EntityNotFoundError, ProviderError, Reason
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.server_time import describe_clock_skew
from skywalking_provider.queries import CollectedSample, Diagnosis, Query
from skywalking_provider.queries.earlier_pods import EarlierCalls, count_affected_buckets, end_of_earlier_calls
from skywalking_provider.queries.unknown_service import describe_unknown_calls


@dataclass(frozen=True, slots=True)
class Attempt:
    """Inputs of one attempt to complete a measurement.

    Attributes:
        metric: Metric of the measurement.
        run: Its AnalysisRun.
        previous: The measurement as the previous attempt left it.
        spec: Parsed block of the metric.
        query: Its query.
        conditions: Conditions that apply.
        backend: Selected backend.
        deadline: Deadline of the last request.
        started_at: Start of the attempt on the monotonic clock.
        rejection: Overload because of which nothing is read; None usually.
    """

    metric: Metric
    run: Run
    previous: Measurement
    spec: Spec
    query: Query
    conditions: MetricConditions
    backend: Backend
    deadline: Deadline
    started_at: float
    rejection: BackendUnavailableError | None = None


class AttemptEvaluator:
    """Finds the verdict of an attempt.

    Args:
        conditions: Evaluator of conditions.
        now: Clock of this process, with its time zone.
        monotonic: Clock of the caches of verdicts and causes in seconds.
        cause_limits: Limits of the reads of the cause of a Failed verdict.
        judge: Judges the minutes of a judged block.
    """

    def __init__(
        self,
        conditions: ConditionEvaluator,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        cause_limits: CauseLimits,
        judge: JudgeSides,
    ) -> None:
        self._judge = judge
        self._conditions = conditions
        self._cause_limits = cause_limits
        self._now = now
        self._verdict_cache = VerdictCache(monotonic)
        self._cause_cache = CauseCache(monotonic)

    async def evaluate(self, attempt: Attempt, details: MeasurementDetails) -> tuple[Verdict, str]:
        """Return the verdict and the value of an attempt. An unavailable backend is a verdict, too.

        Args:
            attempt: The attempt.
            details: Receives the facts about the attempt as they become known.

        Raises:
            ProviderError: The measurement ends with this Error.
        """
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
        self, attempt: Attempt, requested: MeasurementWindow, details: MeasurementDetails
    ) -> tuple[Verdict, str]:
        backend, window = attempt.backend, requested
        earlier = await _find_earlier_calls(attempt, requested)
        if earlier is not None:
            window = requested.starting_at(earlier.end)
            details.window = (window if window.window.buckets else requested).window
        key = _verdict_key(attempt, window)
        if (cached := self._verdict_cache.get(key)) is not None:
            backend.connection.count_cache_hit()
            _record_sample(details, cached.collected_sample)
            details.evaluated, details.judgement, details.cause = True, cached.judgement, cached.cause
            return cached.verdict, cached.value
        wait_budget = self._wait_budget(attempt, window)
        if detail := await self._describe_unusable_window(attempt, requested, window, earlier):
            return verdicts.on_missing_data(Reason.NO_DATA, detail, attempt.spec.on_no_data, wait_budget), ""
        try:
            collected, diagnosis = await _collect_sample(attempt, window, details)
        except EntityNotFoundError as error:
            unknown = await describe_unknown_calls(backend, window.window, attempt.deadline)
            return verdicts.on_entity_not_found(error, wait_budget, unknown), ""
        origin = self._origin(attempt, window)
        if not decides_without_data(attempt.conditions, collected) and (
            verdict := missing_data_verdict(attempt.spec, origin, collected, diagnosis, wait_budget)
        ):
            return verdict, ""
        if collected.sample.sides is not None:
            details.judgement = self._judge(collected.sample.sides, key.judged_from)
            summary = describe_values(details.judgement)
            sample = replace(collected.sample, result=details.judgement.result(), summary=summary)
            collected = replace(collected, sample=sample)
            details.sample = collected.sample
        verdict, value, characters = await self._decide(attempt, origin, collected, details.judgement, wait_budget)
        details.evaluated = True
        if verdict.phase is Phase.FAILED:
            failed = FailedVerdict(attempt.query, window.window, collected, details.judgement)
            details.cause = await find_cause(failed, backend, attempt.deadline, self._cause_limits, self._cause_cache)
            verdict = add_cause(verdict, details.cause)
        if not depends_on_wait(verdict, collected):  # each measurement has its own wait budget
            entry = CachedVerdict(verdict, value, collected, characters, details.judgement, details.cause)
            self._verdict_cache.put(key, entry, attempt.started_at)
        return verdict, value

    async def _decide(
        self,
        attempt: Attempt,
        origin: message.Origin,
        collected: CollectedSample,
        judgement: Judgement | None,
        wait_budget: WaitBudget,
    ) -> tuple[Verdict, str, int]:
        """Return the verdict of the conditions, or else of the judgement; with value and length of the result."""
        result = await encode_result(collected.sample.result, attempt.backend.connection.worker)
        if judgement is not None and not attempt.conditions.written:
            verdict = judgement_verdict(judgement, origin, wait_budget)
            return verdict, result.decode() if verdict.phase.completed else "", len(result)
        if (alarms := collected.sample.alarms) is not None and not attempt.conditions.written:
            verdict = alarm_verdict(alarms, collected.sample.summary, collected.subject, origin, wait_budget)
            return verdict, result.decode() if verdict.phase.completed else "", len(result)
        evaluation = await self._conditions.evaluate(
            attempt.conditions, result, attempt.deadline, attempt.run.namespace
        )
        verdict = condition_verdict(attempt.conditions, origin, collected, evaluation)
        return verdict, format_value(evaluation, attempt.spec), len(result)

    async def _describe_unusable_window(
        self,
        attempt: Attempt,
        requested: MeasurementWindow,
        window: MeasurementWindow,
        earlier: EarlierCalls | None,
    ) -> str:
        """Return why a window cannot be read yet; an empty text if it can be read."""
        name = attempt.backend.connection.name
        if window.window.buckets > 1:
            return ""
        if window.window.buckets == 1:
            if await _rejects_single_bucket(attempt):
                return f"one bucket has closed, and an OAP before 9.5 needs two · backend {name}"
            return ""
        if earlier is not None:
            unknown = await describe_unknown_calls(attempt.backend, requested.window, attempt.deadline)
            return message.only_earlier_pods(earlier.pods, self._origin(attempt, requested), unknown)
        skew = describe_clock_skew(window.clock_offset)
        clock = f" · the OAP's clock is {skew}" if skew else ""
        return f"no bucket since the start of the run has closed yet{clock} · backend {name}"

    def _origin(self, attempt: Attempt, window: MeasurementWindow) -> message.Origin:
        return message.Origin(window.window, attempt.backend.connection.name, self._now(), window.clock_offset)

    def _wait_budget(self, attempt: Attempt, window: MeasurementWindow) -> WaitBudget:
        """Return the wait budget for data. The time of an outage is not part of it."""
        now = self._now()
        return WaitBudget(
            wait=attempt.spec.max_wait,
            starts_at=max(window.wait_starts_at, last_unavailable_at(attempt.previous, now)),
            now=now,
            next_bucket=window.next_bucket,
        )


async def _collect_sample(
    attempt: Attempt, window: MeasurementWindow, details: MeasurementDetails
) -> tuple[CollectedSample, Diagnosis]:
    """Collect the sample, and diagnose its empty series or why it has too few calls."""
    query = attempt.query
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


async def _rejects_single_bucket(attempt: Attempt) -> bool:
    """Return whether the OAP is one that rejects a duration whose start and end are the same minute."""
    return not (await attempt.backend.connection.features(attempt.deadline)).supports_mqe


async def _find_earlier_calls(attempt: Attempt, window: MeasurementWindow) -> EarlierCalls | None:
    """Return the calls of an earlier version's pods; None after the time in which an OAP uses their old names."""
    spec = attempt.spec
    if window.run_start is None or spec.earlier_pods == "include":
        return None
    affected_buckets = count_affected_buckets(window.window, window.run_start)
    if not affected_buckets:
        return None
    return await end_of_earlier_calls(
        attempt.query.services_by_name(attempt.backend),
        any_name=spec.earlier_pods == "exclude",
        run=attempt.run,
        backend=attempt.backend,
        window=window.window,
        affected_buckets=affected_buckets,
        deadline=attempt.deadline,
    )


def _verdict_key(attempt: Attempt, window: MeasurementWindow) -> VerdictKey:
    version, judged_from = attempt.backend.connection.credentials_version(), position_of_worse(window)
    return VerdictKey(attempt.metric, attempt.backend, version, window.window, judged_from)


def _record_sample(details: MeasurementDetails, collected: CollectedSample) -> None:
    details.sample, details.requests, details.subject = collected.sample, collected.requests, collected.subject
    details.entities = collected.entities
