"""The path of one measurement, in one direction: block, clock, window, reads, conditions, verdict."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from skywalking_provider import explain, judge
from skywalking_provider.asking import Answered, Frame, answer_of, frame_of
from skywalking_provider.conditions import Judged, jsontext
from skywalking_provider.diagnosis import cause_of_silence
from skywalking_provider.errors import BackendAway, NotYetKnown, ProviderError, Reason
from skywalking_provider.judge import Patience, Verdict
from skywalking_provider.languages import Languages, Written, conditions_for
from skywalking_provider.metadata import metadata_of
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import Backend, Backends
from skywalking_provider.record import Record, Trail, Watch
from skywalking_provider.spec import EntitySpec, GraphqlSpec, Spec, parse_block
from skywalking_provider.verdicts import Asked, Finished, Verdicts

MAX_VALUE = 32 * 1024  # characters of one value: Argo keeps ten measurements of a metric in one object
_RESERVE_SECONDS = 0.25  # left of a deadline for judging and answering

LAST_AWAY = "skywalking/lastAway"
"""Metadata of a waiting measurement: when the OAP was last away. It is all that any replica needs to know."""

_BUG = "a bug in the provider; its log has the traceback, please report it"
_AWAY = (Reason.OAP_UNAVAILABLE, Reason.PROVIDER_OVERLOADED)
_NEVER = datetime.min.replace(tzinfo=UTC)

_log = structlog.get_logger()


class Engine:
    """Answers for measurements. It holds no state of any: every replica can go on with what another began.

    What it keeps serves others for a moment, and nobody needs it.

    Args:
        backends: The connected OAPs.
        languages: The condition languages.
        now: Our clock, aware.
        watches: Told of every answer.
    """

    def __init__(
        self,
        backends: Backends,
        languages: Languages,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        watches: Sequence[Watch] = (),
    ) -> None:
        self._backends = backends
        self._languages = languages
        self._now = now
        self._watches = watches
        self._verdicts = Verdicts()

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
            return metadata_of(spec, self._public(spec))
        except ProviderError as error:
            return {"error": explain.bounded(f"{error.reason} {error}")}
        except Exception:  # noqa: BLE001 - as below
            _log.exception("metadata failed", metric=metric.name)
            return {"error": f"{Reason.PROVIDER_INTERNAL} {_BUG}"}

    def _public(self, spec: Spec) -> Backend | None:
        """A backend that everybody may use. Argo does not say who asks for metadata; nobody learns of the others."""
        try:
            return self._backends.select(spec.backend, spec.address, None)
        except ProviderError:
            if self._backends.restricted:
                return None
            raise

    async def _measure(self, metric: Metric, run: Run, before: Measurement, deadline: Deadline) -> Measurement:
        began, trail, value = time.monotonic(), Trail(), ""
        try:
            verdict, value = await self._judge(metric, run, before, deadline.earlier_by(_RESERVE_SECONDS), trail)
        except ProviderError as error:
            verdict = judge.trouble(error)
        except Exception:  # noqa: BLE001 - a bug in one measurement is never another's trouble
            _log.exception("measurement failed", metric=metric.name, namespace=run.namespace, analysisrun=run.name)
            verdict = Verdict(Phase.ERROR, Reason.PROVIDER_INTERNAL, _BUG)
        measurement = self._render(verdict, value, run, before)
        seconds = time.monotonic() - began
        self._tell(Record(metric, run, measurement, verdict.reason, trail, seconds, partial(self.metadata, metric)))
        return measurement

    def _tell(self, record: Record) -> None:
        for watch in self._watches:
            try:
                watch(record)
            except Exception:  # noqa: BLE001 - who watches must not change what is seen
                with suppress(Exception):  # not even where it is the log that fails
                    _log.exception(
                        "measurement listener failed", metric=record.metric.name, namespace=record.run.namespace
                    )

    async def _judge(
        self, metric: Metric, run: Run, before: Measurement, deadline: Deadline, trail: Trail
    ) -> tuple[Verdict, str]:
        began = time.monotonic()
        spec = parse_block(metric.block)
        conditions = conditions_for(spec, metric)
        trail.success, trail.failure = conditions.success, conditions.failure
        backend = self._backends.select(spec.backend, spec.address, run.namespace)
        trail.backend = backend.name
        try:
            frame = await frame_of(spec, backend, run, before.started_at, self._now(), deadline)
            trail.window = frame.window
            asked = Asked(metric, backend, backend.identity(), frame.window)
            if (finished := self._verdicts.get(asked)) is not None:
                backend.spared()
                _follow(trail, finished.answered)
                return finished.verdict, finished.value
            patience = self._patience(spec, run, frame, before)
            if not frame.window.buckets:
                what = f"no minute since the run's start has closed yet · backend {backend.name}"
                return judge.silence(Reason.NO_DATA, what, spec.on_no_data, patience), ""
            answered = await answer_of(spec, backend, frame, deadline)
            _follow(trail, answered)
            cause = await cause_of_silence(spec, answered, backend, deadline) if answered.sample.silent else ""
            if verdict := _without_data(spec, backend, frame, answered, patience, cause):
                return verdict, ""
            result = jsontext.dump(answered.sample.result)
            judged = await self._languages.evaluate(conditions, result, deadline)
        except BackendAway as error:
            return judge.outage(error, spec.outage_grace, spec.on_outage, before.started_at, self._now()), ""
        except NotYetKnown as error:
            return judge.unknown(error, patience), ""
        except RecursionError as error:
            raise ProviderError(Reason.OAP_RESPONSE_INVALID, "the answer is nested too deeply") from error
        verdict = _verdict(conditions, judged, answered, frame, backend)
        self._verdicts.keep(asked, Finished(verdict, _value(judged, spec), answered, len(result)), began)
        return verdict, _value(judged, spec)

    def _patience(self, spec: Spec, run: Run, frame: Frame, before: Measurement) -> Patience:
        counted_from = max(frame.waits_from, _last_away(before))  # an outage must not eat what data may take
        return Patience(spec.longest_wait(background=run.background), counted_from, self._now(), frame.next_bucket)

    def _render(self, verdict: Verdict, value: str, run: Run, before: Measurement) -> Measurement:
        metadata: dict[str, str] = {}
        if not verdict.phase.completed:  # Argo hides finished measurements that have any
            away = self._now() if verdict.reason in _AWAY else _last_away(before)
            metadata = {LAST_AWAY: away.isoformat()} if away > _NEVER else {}
        return Measurement(
            phase=verdict.phase,
            started_at=before.started_at,
            message=explain.message_of(replace(verdict, because=self._backends.masked(verdict.because, run.namespace))),
            value=self._backends.masked_json(value, run.namespace),
            finished_at=self._now() if verdict.phase.completed else None,
            resume_at=_whole_second(verdict.resume_at) if verdict.resume_at else None,
            metadata=metadata,
        )


def _follow(trail: Trail, answered: Answered) -> None:
    trail.sample, trail.reads, trail.of = answered.sample, answered.reads, answered.of


def _last_away(before: Measurement) -> datetime:
    """When the measurement last met an OAP that was away, by its own account."""
    try:
        away = datetime.fromisoformat(before.metadata.get(LAST_AWAY, ""))
    except ValueError:
        return _NEVER
    return away if away.tzinfo else _NEVER


def _verdict(conditions: Written, judged: Judged, answered: Answered, frame: Frame, backend: Backend) -> Verdict:
    success, failure = conditions.success, conditions.failure
    reason = judge.reason_of(judged.phase, success=bool(success), failure=bool(failure))
    if reason in (None, Reason.CONDITION_ERROR):
        return Verdict(judged.phase, reason, judged.message)
    wanted = explain.conditions_of(success, failure)
    because = explain.measured(answered.sample, wanted, answered.of, frame.window, backend.name)
    return Verdict(judged.phase, reason, because)


def _without_data(
    spec: Spec, backend: Backend, frame: Frame, answered: Answered, patience: Patience, cause: str
) -> Verdict | None:
    sample, of, window = answered.sample, answered.of, frame.window
    if sample.silent:
        what = explain.nothing_in(sample, of, window, backend.name, cause)
        return judge.silence(Reason.NO_DATA, what, spec.on_no_data, patience)
    if isinstance(spec, EntitySpec) and spec.min_calls > (sample.calls or 0):
        what = explain.too_few(sample, spec.min_calls, of, window, backend.name)
        return judge.silence(Reason.TOO_FEW_CALLS, what, spec.on_no_data, patience)
    return None


def _whole_second(instant: datetime) -> datetime:
    """Argo stores whole seconds; rounding down would wake a measurement too early."""
    floor = instant.replace(microsecond=0)
    return floor if floor == instant else floor + timedelta(seconds=1)


def _value(judged: Judged, spec: Spec) -> str:
    if judged.phase is Phase.ERROR:
        return ""  # as Argo: an Error keeps no value
    as_the_built_in = isinstance(spec, GraphqlSpec) and spec.compatibility is not None
    if len(judged.value) <= MAX_VALUE or as_the_built_in:
        return judged.value
    return json.dumps(
        f"omitted: the result has {len(judged.value)} characters; at most {MAX_VALUE} are kept in an AnalysisRun"
    )
