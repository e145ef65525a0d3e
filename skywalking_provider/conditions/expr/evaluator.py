"""Argo's own condition language: expr-lang at the version of the controller, in a sandbox."""

import structlog

from skywalking_provider.conditions.base import ConditionProblem, Evaluation
from skywalking_provider.conditions.expr.pool import WasmCall
from skywalking_provider.conditions.expr.scheduler import TwoTierScheduler
from skywalking_provider.conditions.limits import (
    Limits,
    StoppedError,
    StopReason,
    describe_stop,
    describe_too_large,
    describe_too_long,
)
from skywalking_provider.model import Deadline, Phase
from skywalking_provider.support import go_json

_log = structlog.get_logger(__name__)


class ExprLanguage:
    """`Conditions` in expr. Evaluates as the controller of Argo Rollouts 1.10 does, inside `Limits`.

    Making one loads the evaluator: milliseconds, or seconds where it has to be compiled first (see `module`). Make it
    before the event loop serves, or in a thread. It belongs to the event loop it is first used in.

    Raises:
        FileNotFoundError: The evaluator was not built.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._scheduler = TwoTierScheduler(self._limits)

    async def evaluate(self, success: str, failure: str, result: bytes, *, timeout: float) -> Evaluation:  # noqa: ASYNC109
        """See `Conditions.evaluate`; phase and message are those of Argo's `EvaluateResult`."""
        conditions = (_encode_utf8(success), _encode_utf8(failure))
        for name, text in zip(("successCondition", "failureCondition"), conditions, strict=True):
            if len(text) > self._limits.condition_bytes:
                return _build_error(describe_too_long(name, len(text), self._limits))
        if len(result) > self._limits.result_bytes:
            return _build_error(describe_too_large(len(result), self._limits))
        question = WasmCall("evaluate", (*conditions, result), key=conditions)
        try:
            phase, message, value = await self._scheduler.execute(question, Deadline.after(timeout))
        except StoppedError as error:
            return _build_error(
                self._report_stop(error, len(result), timeout), not_evaluated=error.reason.not_evaluated
            )
        return Evaluation(Phase(phase.decode()), message.decode("utf-8", "replace"), value.decode("utf-8", "replace"))

    async def encode_value(self, result: bytes, *, timeout: float) -> Evaluation:  # noqa: ASYNC109
        """The measurement's value alone, for another language's conditions: Successful, or an Error without a value."""
        if len(result) > self._limits.result_bytes:
            return Evaluation(Phase.ERROR, describe_too_large(len(result), self._limits))
        try:
            error, value = await self._scheduler.execute(
                WasmCall("marshal", (result,), key=()), Deadline.after(timeout)
            )
        except StoppedError as stop:
            sentence = self._report_stop(stop, len(result), timeout)
            return Evaluation(Phase.ERROR, sentence, not_evaluated=stop.reason.not_evaluated)
        if error:
            return Evaluation(Phase.ERROR, error.decode("utf-8", "replace"))
        return Evaluation(Phase.SUCCESSFUL, value=value.decode("utf-8", "replace"))

    async def check(self, condition: str, *, sample: bytes | None = None, timeout: float) -> ConditionProblem | None:  # noqa: ASYNC109
        """See `Conditions.check`."""
        text = _encode_utf8(condition)
        if not text:
            return None  # no condition
        if len(text) > self._limits.condition_bytes:
            return ConditionProblem(describe_too_long("the condition", len(text), self._limits))
        if sample is not None and len(sample) > self._limits.result_bytes:
            return ConditionProblem(describe_too_large(len(sample), self._limits))
        question = WasmCall("check", (text, sample or b""), key=(text,))
        try:
            (answer,) = await self._scheduler.execute(question, Deadline.after(timeout))
        except StoppedError as error:
            return ConditionProblem(self._report_stop(error, len(sample or b""), timeout))
        return _decode_problem(answer) if answer else None

    async def close(self) -> None:
        """See `Conditions.close`. A second time does nothing."""
        await self._scheduler.close()

    def _report_stop(self, error: StoppedError, size: int, timeout: float) -> str:
        if error.reason is StopReason.UNAVAILABLE:
            _log.error("the condition language does not start", detail=error.detail)
        return describe_stop(error.reason, self._limits, size=size, timeout=timeout)


def _build_error(reason: str, *, not_evaluated: bool = False) -> Evaluation:
    # The wording of Argo's own errors, so that a person finds them in the same place.
    return Evaluation(Phase.ERROR, f"could not evaluate the conditions: {reason}", not_evaluated=not_evaluated)


def _encode_utf8(text: str) -> bytes:
    """As Go has it: a lone surrogate (JSON can smuggle one into a str) is U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _decode_problem(response: bytes) -> ConditionProblem:
    match go_json.load(response):
        case {"message": str(message), "line": int(line), "column": int(column), "snippet": str(snippet)}:
            return ConditionProblem(message, line, column, snippet)
        case other:
            raise AssertionError(f"expr.wasm and this host are of different versions: {other!r}")
