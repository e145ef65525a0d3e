"""One measurement, made by the service's own engine, and everything that is to be shown of it."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import ConditionEvaluator, MetricConditions, select_conditions
from skywalking_provider.block import Spec, parse_block
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline, Measurement, Phase, Run, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.queries import CollectedSample, query_for
from skywalking_provider.support import go_json
from skywalking_provider.tools.check.recording import Exchange, RecordingBackends
from skywalking_provider.tools.check.selection import MetricToCheck

_SECONDS = 14.5  # what the bridge leaves the service of a call
_REASONS_WITHOUT_EVALUATION = (
    Reason.NO_DATA,
    Reason.TOO_FEW_CALLS,
    Reason.ENTITY_NOT_FOUND,
    Reason.OAP_UNAVAILABLE,
    Reason.PROVIDER_OVERLOADED,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, and what it says of the result.

    Attributes:
        kind: "success" or "failure".
        text: As written, arguments put in.
        language: "expr" or "cel".
        holds: None where it was not asked, or could not be evaluated.
        error: Why it could not.
    """

    kind: str
    text: str
    language: str
    holds: bool | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A metric, measured.

    Attributes:
        target: The metric.
        measurement: What the service would answer.
        reason: The code that the message begins with; None for a plain success.
        seconds: How long the measurement took.
        backend: Name of the backend; empty where the block selects none.
        url: Its address.
        spec: The block; None where it is wrong.
        window: What was read, in the OAP's zone; None where nothing was.
        exchanges: Every request, in order.
        collected_sample: The sample; None where there is none.
        conditions: Those that are written.
    """

    target: MetricToCheck
    measurement: Measurement
    reason: Reason | None
    seconds: float
    backend: str = ""
    url: str = ""
    spec: Spec | None = None
    window: Window | None = None
    exchanges: tuple[Exchange, ...] = ()
    collected_sample: CollectedSample | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def result(self) -> object:
        """The result as Argo stores it, or as it was read where Argo stores none; None where there is none."""
        stored = go_json.load(self.measurement.value) if self.measurement.value else None
        if stored is not None and not isinstance(stored, str):  # a text says that the value was too long to be stored
            return stored
        return self.collected_sample.sample.result if self.collected_sample else None

    @property
    def sample_exchanges(self) -> tuple[Exchange, ...]:
        """The requests for what was measured; where it did not come to that, the last request of all."""
        texts = {read.query for read in self.collected_sample.requests} if self.collected_sample else set()
        return tuple(one for one in self.exchanges if one.request.query in texts) or self.exchanges[-1:]


async def measure(
    target: MetricToCheck,
    backends: RecordingBackends,
    evaluator: ConditionEvaluator,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    namespace: str | None = None,
) -> CheckResult:
    """Measure once, without waiting, as a run of the namespace would; by default that of the template."""
    recorder, began, instant = backends.recorder, time.perf_counter(), now()
    recorder.reset()
    engine = Engine(backends.backends, evaluator, lambda: instant)
    run = Run(namespace=namespace or target.template.namespace or "default", name="check")
    measurement = await engine.run(target.metric, run, Deadline.after(_SECONDS))
    seconds, exchanges = time.perf_counter() - began, tuple(recorder.exchanges)
    reason = reason_in(measurement)
    try:
        spec = parse_block(target.metric.block)
        written = select_conditions(spec, target.metric)
        backend = backends.backends.select(spec.backend, spec.address, run.namespace)
    except ProviderError:
        return CheckResult(target, measurement, reason, seconds)
    recorder.replaying = True
    window, answered = await _seen(spec, backend, exchanges) if reason is not Reason.PROVIDER_INTERNAL else (None, None)
    silent = answered is not None and bool(
        answered.sample.empty_series
    )  # whatever is made of it: no condition was asked
    asked = answered if reason not in _REASONS_WITHOUT_EVALUATION and not silent else None
    return CheckResult(
        target,
        measurement,
        reason,
        seconds,
        backend.connection.name,
        backends.urls[backend.connection.name],
        spec,
        window,
        exchanges,
        answered,
        await _evaluate_conditions(written, asked, evaluator),
    )


def reason_in(measurement: Measurement) -> Reason | None:
    """The reason of a measurement: its message begins with it; only Argo's own words on a condition do not."""
    code = measurement.message.split(" ", 1)[0]
    if code in set(Reason):
        return Reason(code)
    return Reason.CONDITION_ERROR if measurement.phase is Phase.ERROR else None


async def _seen(
    spec: Spec, backend: Backend, exchanges: Sequence[Exchange]
) -> tuple[Window | None, CollectedSample | None]:
    """The sample that the engine judged, from the same answers by the same code; no OAP is asked."""
    windows = [one.request for one in exchanges if "duration" in one.request.variables]
    if not windows:
        return None, None
    deadline = Deadline.after(_SECONDS)
    try:
        window = await _window(windows[-1], spec, backend, deadline)
    except ProviderError:
        return None, None
    answered = None
    with suppress(ProviderError):  # the measurement's message says which
        answered = await query_for(spec).collect(backend, window, deadline)
    return window, answered


async def _window(read: GraphqlRequest, spec: Spec, backend: Backend, deadline: Deadline) -> Window:
    """`duration_variable`, read back."""
    match read.variables["duration"]:
        case {"start": str(start), "end": str(end)}:
            first, last = (datetime.strptime(text, "%Y-%m-%d %H%M") for text in (start, end))  # noqa: DTZ007
    if spec.argo_compatible:
        return Window(first.astimezone(), last.astimezone() + timedelta(minutes=1))
    zone = (await backend.connection.time(deadline)).zone
    return Window(first.replace(tzinfo=zone), last.replace(tzinfo=zone) + timedelta(minutes=1))


async def _evaluate_conditions(
    conditions: MetricConditions, collected_sample: CollectedSample | None, evaluator: ConditionEvaluator
) -> tuple[Condition, ...]:
    """Every condition by itself."""
    found = []
    language = "cel" if conditions.cel else "expr"
    for kind, text in (("success", conditions.success), ("failure", conditions.failure)):
        if not text:
            continue
        if collected_sample is None:
            found.append(Condition(kind, text, language))
            continue
        alone = (
            MetricConditions(text, "", conditions.cel)
            if kind == "success"
            else MetricConditions("", text, conditions.cel)
        )
        judged = await evaluator.evaluate(alone, go_json.dump(collected_sample.sample.result), Deadline.after(_SECONDS))
        if judged.phase is Phase.ERROR:
            found.append(Condition(kind, text, language, error=judged.message))
        else:
            holds = judged.phase is (Phase.SUCCESSFUL if kind == "success" else Phase.FAILED)
            found.append(Condition(kind, text, language, holds))
    return tuple(found)
