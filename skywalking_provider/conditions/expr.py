"""Argo's own condition language: expr-lang at the version of the controller, in a sandbox."""

import structlog

from skywalking_provider.conditions import jsontext
from skywalking_provider.conditions.interface import Judged, Mistake
from skywalking_provider.conditions.lanes import Lanes
from skywalking_provider.conditions.limits import Cause, Limits, StoppedError, stopped, too_large, too_long
from skywalking_provider.conditions.seat import Question
from skywalking_provider.model import Deadline, Phase

_log = structlog.get_logger(__name__)


class ExprConditions:
    """`Conditions` in expr. Evaluates as the controller of Argo Rollouts 1.10 does, inside `Limits`.

    Making one loads the evaluator: milliseconds, or seconds where it has to be compiled first (see `module`). Make it
    before the event loop serves, or in a thread. It belongs to the event loop it is first used in.

    Raises:
        FileNotFoundError: The evaluator was not built.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._lanes = Lanes(self._limits)

    async def evaluate(self, success: str, failure: str, result: bytes, *, timeout: float) -> Judged:  # noqa: ASYNC109
        """See `Conditions.evaluate`; phase and message are those of Argo's `EvaluateResult`."""
        conditions = (_utf8(success), _utf8(failure))
        for name, text in zip(("successCondition", "failureCondition"), conditions, strict=True):
            if len(text) > self._limits.condition_bytes:
                return _error(too_long(name, len(text), self._limits))
        if len(result) > self._limits.result_bytes:
            return _error(too_large(len(result), self._limits))
        question = Question("evaluate", (*conditions, result), key=conditions)
        try:
            phase, message, value = await self._lanes.ask(question, Deadline.after(timeout))
        except StoppedError as error:
            return _error(self._sentence(error, len(result), timeout), unanswered=error.cause.unanswered)
        return Judged(Phase(phase.decode()), message.decode("utf-8", "replace"), value.decode("utf-8", "replace"))

    async def value(self, result: bytes, *, timeout: float) -> Judged:  # noqa: ASYNC109
        """The measurement's value alone, for another language's conditions: Successful, or an Error without a value."""
        if len(result) > self._limits.result_bytes:
            return Judged(Phase.ERROR, too_large(len(result), self._limits))
        try:
            error, value = await self._lanes.ask(Question("marshal", (result,), key=()), Deadline.after(timeout))
        except StoppedError as stop:
            sentence = self._sentence(stop, len(result), timeout)
            return Judged(Phase.ERROR, sentence, unanswered=stop.cause.unanswered)
        if error:
            return Judged(Phase.ERROR, error.decode("utf-8", "replace"))
        return Judged(Phase.SUCCESSFUL, value=value.decode("utf-8", "replace"))

    async def check(self, condition: str, *, sample: bytes | None = None, timeout: float) -> Mistake | None:  # noqa: ASYNC109
        """See `Conditions.check`."""
        text = _utf8(condition)
        if not text:
            return None  # no condition
        if len(text) > self._limits.condition_bytes:
            return Mistake(too_long("the condition", len(text), self._limits))
        if sample is not None and len(sample) > self._limits.result_bytes:
            return Mistake(too_large(len(sample), self._limits))
        question = Question("check", (text, sample or b""), key=(text,))
        try:
            (answer,) = await self._lanes.ask(question, Deadline.after(timeout))
        except StoppedError as error:
            return Mistake(self._sentence(error, len(sample or b""), timeout))
        return _mistake(answer) if answer else None

    async def close(self) -> None:
        """See `Conditions.close`. A second time does nothing."""
        await self._lanes.close()

    def _sentence(self, error: StoppedError, size: int, timeout: float) -> str:
        if error.cause is Cause.BROKEN:
            _log.error("the condition language does not start", detail=error.detail)
        return stopped(error.cause, self._limits, size=size, timeout=timeout)


def _error(reason: str, *, unanswered: bool = False) -> Judged:
    # The wording of Argo's own errors, so that a person finds them in the same place.
    return Judged(Phase.ERROR, f"could not evaluate the conditions: {reason}", unanswered=unanswered)


def _utf8(text: str) -> bytes:
    """As Go has it: a lone surrogate (JSON can smuggle one into a str) is U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _mistake(answer: bytes) -> Mistake:
    match jsontext.load(answer):
        case {"message": str(message), "line": int(line), "column": int(column), "snippet": str(snippet)}:
            return Mistake(message, line, column, snippet)
        case other:
            raise AssertionError(f"expr.wasm and this host are of different versions: {other!r}")
