"""One measurement, made by the service's own engine, and everything that is to be shown of it."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from skywalking_provider.asking import Answered, Frame, answer_of
from skywalking_provider.check.questions import Question
from skywalking_provider.check.recording import Exchange, Recorded
from skywalking_provider.conditions import jsontext
from skywalking_provider.engine import Engine
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.languages import Languages, Written, conditions_for
from skywalking_provider.model import Deadline, Measurement, Phase, Run, Window
from skywalking_provider.oap import Backend
from skywalking_provider.plan import Read
from skywalking_provider.spec import GraphqlSpec, Spec, parse_block

_SECONDS = 14.5  # what the bridge leaves the service of a call
_NOT_ASKED = (
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
class Checked:
    """A metric, measured.

    Attributes:
        question: The metric.
        measurement: What the service would answer.
        reason: The code that the message begins with; None for a plain success.
        seconds: How long the measurement took.
        backend: Name of the backend; empty where the block selects none.
        url: Its address.
        spec: The block; None where it is wrong.
        window: What was read, in the OAP's zone; None where nothing was.
        exchanges: Every request, in order.
        answered: The sample; None where there is none.
        conditions: Those that are written.
    """

    question: Question
    measurement: Measurement
    reason: Reason | None
    seconds: float
    backend: str = ""
    url: str = ""
    spec: Spec | None = None
    window: Window | None = None
    exchanges: tuple[Exchange, ...] = ()
    answered: Answered | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def result(self) -> object:
        """The result as Argo stores it, or as it was read where Argo stores none; None where there is none."""
        stored = jsontext.load(self.measurement.value) if self.measurement.value else None
        if stored is not None and not isinstance(stored, str):  # a text says that the value was too long to be stored
            return stored
        return self.answered.sample.result if self.answered else None

    @property
    def reads(self) -> tuple[Exchange, ...]:
        """The requests for what was measured; where it did not come to that, the last request of all."""
        texts = {read.query for read in self.answered.reads} if self.answered else set()
        return tuple(one for one in self.exchanges if one.read.query in texts) or self.exchanges[-1:]


async def measure(
    question: Question,
    recorded: Recorded,
    languages: Languages,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    namespace: str | None = None,
) -> Checked:
    """Measure once, without waiting, as a run of the namespace would; by default that of the template."""
    recorder, began, instant = recorded.recorder, time.perf_counter(), now()
    recorder.begin()
    engine = Engine(recorded.backends, languages, lambda: instant)
    run = Run(namespace=namespace or question.template.namespace or "default", name="check")
    measurement = await engine.run(question.metric, run, Deadline.after(_SECONDS))
    seconds, exchanges = time.perf_counter() - began, tuple(recorder.exchanges)
    reason = reason_in(measurement)
    try:
        spec = parse_block(question.metric.block)
        written = conditions_for(spec, question.metric)
        backend = recorded.backends.select(spec.backend, spec.address, run.namespace)
    except ProviderError:
        return Checked(question, measurement, reason, seconds)
    recorder.replaying = True
    window, answered = await _seen(spec, backend, exchanges) if reason is not Reason.PROVIDER_INTERNAL else (None, None)
    silent = answered is not None and bool(answered.sample.silent)  # whatever is made of it: no condition was asked
    asked = answered if reason not in _NOT_ASKED and not silent else None
    return Checked(
        question,
        measurement,
        reason,
        seconds,
        backend.name,
        recorded.urls[backend.name],
        spec,
        window,
        exchanges,
        answered,
        await _conditions(written, asked, languages),
    )


def reason_in(measurement: Measurement) -> Reason | None:
    """The reason of a measurement: its message begins with it; only Argo's own words on a condition do not."""
    code = measurement.message.split(" ", 1)[0]
    if code in set(Reason):
        return Reason(code)
    return Reason.CONDITION_ERROR if measurement.phase is Phase.ERROR else None


async def _seen(spec: Spec, backend: Backend, exchanges: Sequence[Exchange]) -> tuple[Window | None, Answered | None]:
    """The sample that the engine judged, from the same answers by the same code; no OAP is asked."""
    windows = [one.read for one in exchanges if "duration" in one.read.variables]
    if not windows:
        return None, None
    deadline = Deadline.after(_SECONDS)
    try:
        window = await _window(windows[-1], spec, backend, deadline)
    except ProviderError:
        return None, None
    answered = None
    with suppress(ProviderError):  # the measurement's message says which
        answered = await answer_of(spec, backend, Frame(window, window.end, window.end), deadline)
    return window, answered


async def _window(read: Read, spec: Spec, backend: Backend, deadline: Deadline) -> Window:
    """`duration_variable`, read back."""
    match read.variables["duration"]:
        case {"start": str(start), "end": str(end)}:
            first, last = (datetime.strptime(text, "%Y-%m-%d %H%M") for text in (start, end))  # noqa: DTZ007
    if isinstance(spec, GraphqlSpec) and spec.compatibility:
        return Window(first.astimezone(), last.astimezone() + timedelta(minutes=1))
    zone = (await backend.time(deadline)).zone
    return Window(first.replace(tzinfo=zone), last.replace(tzinfo=zone) + timedelta(minutes=1))


async def _conditions(written: Written, answered: Answered | None, languages: Languages) -> tuple[Condition, ...]:
    """Every condition by itself."""
    found = []
    language = "cel" if written.cel else "expr"
    for kind, text in (("success", written.success), ("failure", written.failure)):
        if not text:
            continue
        if answered is None:
            found.append(Condition(kind, text, language))
            continue
        alone = Written(text, "", written.cel) if kind == "success" else Written("", text, written.cel)
        judged = await languages.evaluate(alone, jsontext.dump(answered.sample.result), Deadline.after(_SECONDS))
        if judged.phase is Phase.ERROR:
            found.append(Condition(kind, text, language, error=judged.message))
        else:
            holds = judged.phase is (Phase.SUCCESSFUL if kind == "success" else Phase.FAILED)
            found.append(Condition(kind, text, language, holds))
    return tuple(found)
