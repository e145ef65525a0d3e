"""One measurement of a metric by the service's own engine, and its exit code."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from skywalking_provider.analysis.alarm_view import AlarmView, build_alarm_views
from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.analysis.clean_traffic import count_minutes_to_fine
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import ConditionEvaluator, MetricConditions
from skywalking_provider.analysis.events import MeasurementDetails, MeasurementEvent
from skywalking_provider.analysis.judgement_view import JudgementView, build_judgement_view
from skywalking_provider.block import parse_block
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run, Window
from skywalking_provider.oap.api.server_time import describe_clock_skew
from skywalking_provider.queries.sample import Sample
from skywalking_provider.support import go_json
from skywalking_provider.tools.check.recording import Exchange, RecordingBackends
from skywalking_provider.tools.check.selection import MetricToCheck
from skywalking_provider.tools.check.thin_traffic import describe_thin_traffic

_TIMEOUT_SECONDS = 14.5
"""Time that the bridge grants the service for one call."""

_CAUSE_SECONDS = 10.0
"""Time for the cause of a Failed verdict. No rollout waits for it."""

JUDGED_TIME = timedelta(minutes=30)
"""Time since the start of the run that is assumed for a judged block. Half an hour has enough of thin traffic, too."""


class ExitCode(IntEnum):
    """Exit codes of `check`; docs/check.md describes them."""

    OK = 0
    FAILED = 1
    ERROR = 2
    BACKEND_ERROR = 3
    UNDECIDED = 4


_WORST_FIRST = (  # Argo's order of phases: Failed before Error
    ExitCode.FAILED,
    ExitCode.ERROR,
    ExitCode.BACKEND_ERROR,
    ExitCode.UNDECIDED,
    ExitCode.OK,
)
_BACKEND_REASONS = (Reason.OAP_UNAVAILABLE, Reason.OAP_REJECTED, Reason.OAP_RESPONSE_INVALID)
_EXIT_CODES: Mapping[Phase, ExitCode] = {
    Phase.SUCCESSFUL: ExitCode.OK,
    Phase.FAILED: ExitCode.FAILED,
    Phase.ERROR: ExitCode.ERROR,
    Phase.INCONCLUSIVE: ExitCode.UNDECIDED,
    Phase.RUNNING: ExitCode.UNDECIDED,
    Phase.PENDING: ExitCode.UNDECIDED,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition and its value for the result.

    Attributes:
        kind: "success" or "failure".
        text: Condition with its arguments replaced.
        language: "expr" or "cel".
        holds: Value of the condition; None if it was not evaluated, or the evaluation failed.
        error: Description of a failed evaluation; empty otherwise.
    """

    kind: str
    text: str
    language: str
    holds: bool | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One measurement of a metric.

    Attributes:
        target: Measured metric.
        event: Event that the engine sent to its listener: measurement, reason and details.
        url: Address of the backend; empty if the block selects none.
        exchanges: All requests to the backend, in order.
        conditions: Conditions of the metric, each evaluated by itself.
    """

    target: MetricToCheck
    event: MeasurementEvent
    url: str
    exchanges: tuple[Exchange, ...]
    conditions: tuple[Condition, ...]

    @property
    def measurement(self) -> Measurement:
        """Measurement that the service would return."""
        return self.event.measurement

    @property
    def reason(self) -> Reason | None:
        """Reason code; None for a plain success."""
        return self.event.reason

    @property
    def backend(self) -> str:
        """Name of the backend; empty if the block selects none."""
        return self.event.details.backend

    @property
    def window(self) -> Window | None:
        """Window of the measurement in the OAP's time zone; None if it is not known."""
        return self.event.details.window

    @property
    def sample(self) -> Sample | None:
        """Collected sample; None if the requests for it failed."""
        return self.event.details.sample

    @property
    def result(self) -> object:
        """Result as Argo stores it, or the sample's result if Argo stores none; None without a sample."""
        stored = go_json.load(self.measurement.value) if self.measurement.value else None
        if stored is not None and not isinstance(stored, str):  # a text replaces a value that is too long to be stored
            return stored
        return self.sample.result if self.sample else None

    @property
    def sample_exchanges(self) -> tuple[Exchange, ...]:
        """Requests for the sample; without a sample, the last request of the measurement."""
        requests = self.event.details.requests
        return tuple(one for one in self.exchanges if one.request in requests) or self.exchanges[-1:]

    @property
    def assumed_start(self) -> datetime | None:
        """Start of the run that is assumed for a judged block, on the OAP's clock; None for others."""
        start = self.event.run.started_at
        if start is None:
            return None
        zone = self.window.start.tzinfo if self.window else UTC
        return (start + self.event.details.clock_offset).astimezone(zone)

    @property
    def judgement(self) -> JudgementView | None:
        """Judgement of a judged block; None for others, and if no minute counts."""
        judgement = self.event.details.judgement
        return build_judgement_view(judgement, self.window) if judgement and self.window else None

    @property
    def alarms(self) -> tuple[AlarmView, ...] | None:
        """Alarms of a block of alarms; None for others."""
        if self.sample is None or self.sample.alarms is None or self.window is None:
            return None
        return build_alarm_views(self.sample.alarms, self.window.start.tzinfo)

    @property
    def minutes_to_fine(self) -> int | None:
        """Minutes until a canary in order is found fine at the traffic that was read; None if it is not known."""
        judgement = self.event.details.judgement
        return count_minutes_to_fine(judgement.sides, self.window.buckets) if judgement and self.window else None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the template, on thin traffic, and on the OAP's clock if it is wrong."""
        skew = describe_clock_skew(self.event.details.clock_offset)
        clock = f"the clock of backend {self.backend} is {skew}. Synchronize the clocks by NTP: windows use both"
        return (*self.target.notes, *filter(None, [self._describe_traffic()]), *([clock] if skew else ()))

    def _describe_traffic(self) -> str:
        """Return the warning about thin traffic; empty for none. Conditions do not wait for a finding."""
        details = self.event.details
        if details.judgement is None or self.window is None or details.success or details.failure:
            return ""
        return describe_thin_traffic(details.judgement, self.window.buckets)

    @property
    def exit_code(self) -> ExitCode:
        """Exit code of this metric. Argo does not count a dry run, whatever its phase."""
        if self.target.dry_run:
            return ExitCode.OK
        return ExitCode.BACKEND_ERROR if self.reason in _BACKEND_REASONS else _EXIT_CODES[self.measurement.phase]


def worst_exit_code(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of several metrics."""
    return min(codes, key=_WORST_FIRST.index, default=ExitCode.OK)


async def measure(
    target: MetricToCheck,
    backends: RecordingBackends,
    evaluator: ConditionEvaluator,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    namespace: str | None = None,
) -> CheckResult:
    """Measure a metric once. A measurement that would wait is not resumed.

    Args:
        target: Metric to measure.
        backends: Backends that record their requests.
        evaluator: Evaluator of the conditions.
        now: Clock of this process. It stands still during the measurement.
        namespace: Namespace of the run; by default the template's, else "default".
    """
    events: list[MeasurementEvent] = []
    instant = now()
    backends.recorder.reset()
    limits = CauseLimits(_CAUSE_SECONDS, with_content=backends.cause_details)
    engine = Engine(backends.backends, evaluator, now=lambda: instant, listeners=[events.append], cause_limits=limits)
    run = Run(
        namespace=namespace or target.template.namespace or "default",
        name="check",
        started_at=instant - JUDGED_TIME if _is_judged(target.metric) else None,
    )
    await engine.run(target.metric, run, Deadline.after(_TIMEOUT_SECONDS))
    (event,) = events
    return CheckResult(
        target,
        event,
        backends.urls.get(event.details.backend, ""),
        tuple(backends.recorder.exchanges),
        await _evaluate_conditions(event.details, evaluator),
    )


def _is_judged(metric: Metric) -> bool:
    """Return whether the block is judged since the run's start. The engine reports an invalid block."""
    try:
        return parse_block(metric.block).judged
    except ProviderError:
        return False


async def _evaluate_conditions(details: MeasurementDetails, evaluator: ConditionEvaluator) -> tuple[Condition, ...]:
    """Evaluate each condition by itself: the measurement has the common verdict only."""
    conditions = (("success", details.success), ("failure", details.failure))
    return tuple([await _evaluate_condition(kind, text, details, evaluator) for kind, text in conditions if text])


async def _evaluate_condition(
    kind: str, text: str, details: MeasurementDetails, evaluator: ConditionEvaluator
) -> Condition:
    language = "cel" if details.cel else "expr"
    if not details.evaluated or details.sample is None:
        return Condition(kind, text, language)
    success, failure = (text, "") if kind == "success" else ("", text)
    evaluation = await evaluator.evaluate(
        MetricConditions(success, failure, details.cel),
        go_json.dump(details.sample.result),
        Deadline.after(_TIMEOUT_SECONDS),
        namespace="",  # alone in this process
    )
    if evaluation.phase is Phase.ERROR:
        return Condition(kind, text, language, error=evaluation.message)
    return Condition(kind, text, language, holds=evaluation.phase is (Phase.SUCCESSFUL if success else Phase.FAILED))
