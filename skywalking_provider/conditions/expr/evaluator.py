"""Argo's condition language, evaluated by the controller's own library."""

import structlog

from skywalking_provider.conditions.base import ConditionProblem, Evaluation
from skywalking_provider.conditions.expr.inline_scheduler import InlineScheduler
from skywalking_provider.conditions.expr.instance import WasmCall
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
    """`ConditionLanguage` in expr, with the phases and messages of Argo Rollouts 1.10, inside `Limits`.

    The constructor loads the WASM module, which takes milliseconds, or seconds if it must be compiled first. Call it
    before the event loop serves requests, or in a thread. The object belongs to the event loop of its first use.

    Args:
        limits: Limits of one evaluation.
        inline: Whether to evaluate in the caller's thread. Conditions then block the event loop.

    Raises:
        FileNotFoundError: expr.wasm was not built.
    """

    def __init__(self, limits: Limits | None = None, *, inline: bool = False) -> None:
        self._limits = limits or Limits()
        self._scheduler = InlineScheduler(self._limits) if inline else TwoTierScheduler(self._limits)

    @property
    def healthy(self) -> bool:
        """Whether an instance could be started the last time."""
        return self._scheduler.healthy

    async def recover(self) -> None:
        """Try to start an instance, if that failed the last time."""
        await self._scheduler.recover()

    async def evaluate(
        self,
        success: str,
        failure: str,
        result: bytes,
        *,
        timeout: float,  # noqa: ASYNC109
        namespace: str = "",
    ) -> Evaluation:
        """Evaluate the conditions as Argo's `EvaluateResult` does; see `ConditionLanguage.evaluate`."""
        conditions = (_encode_utf8(success), _encode_utf8(failure))
        for name, text in zip(("successCondition", "failureCondition"), conditions, strict=True):
            if len(text) > self._limits.condition_bytes:
                return _build_error(describe_too_long(name, len(text), self._limits))
        if len(result) > self._limits.result_bytes:
            return _build_error(describe_too_large(len(result), self._limits))
        call = WasmCall("evaluate", (*conditions, result), key=conditions)
        try:
            phase, message, value = await self._scheduler.execute(call, namespace, Deadline.after(timeout))
        except StoppedError as error:
            return _build_error(
                self._report_stop(error, len(result), timeout), not_evaluated=error.reason.not_evaluated
            )
        return Evaluation(Phase(phase.decode()), message.decode("utf-8", "replace"), value.decode("utf-8", "replace"))

    async def encode_value(self, result: bytes, *, timeout: float, namespace: str = "") -> Evaluation:  # noqa: ASYNC109
        """Return only the measurement's value, for another language's conditions: Successful, or Error without it."""
        if len(result) > self._limits.result_bytes:
            return Evaluation(Phase.ERROR, describe_too_large(len(result), self._limits))
        call = WasmCall("marshal", (result,), key=())
        try:
            problem, value = await self._scheduler.execute(call, namespace, Deadline.after(timeout))
        except StoppedError as error:
            message = self._report_stop(error, len(result), timeout)
            return Evaluation(Phase.ERROR, message, not_evaluated=error.reason.not_evaluated)
        if problem:
            return Evaluation(Phase.ERROR, problem.decode("utf-8", "replace"))
        return Evaluation(Phase.SUCCESSFUL, value=value.decode("utf-8", "replace"))

    async def check(self, condition: str, *, sample: bytes | None = None, timeout: float) -> ConditionProblem | None:  # noqa: ASYNC109
        """Find an error in a condition; see `ConditionLanguage.check`."""
        text = _encode_utf8(condition)
        if not text:
            return None
        if len(text) > self._limits.condition_bytes:
            return ConditionProblem(describe_too_long("the condition", len(text), self._limits))
        if sample is not None and len(sample) > self._limits.result_bytes:
            return ConditionProblem(describe_too_large(len(sample), self._limits))
        call = WasmCall("check", (text, sample or b""), key=(text,))
        try:
            (problem,) = await self._scheduler.execute(call, "", Deadline.after(timeout))
        except StoppedError as error:
            return ConditionProblem(self._report_stop(error, len(sample or b""), timeout))
        return _decode_problem(problem) if problem else None

    async def close(self) -> None:
        """Stop running evaluations; pending calls return an Error. May be called twice."""
        await self._scheduler.close()

    def _report_stop(self, error: StoppedError, size: int, timeout: float) -> str:
        if error.reason is StopReason.UNAVAILABLE:
            _log.error("condition evaluator does not start", detail=error.detail)
        return describe_stop(error.reason, self._limits, size=size, timeout=timeout)


def _build_error(reason: str, *, not_evaluated: bool = False) -> Evaluation:
    # Argo's own errors begin with the same text.
    return Evaluation(Phase.ERROR, f"could not evaluate the conditions: {reason}", not_evaluated=not_evaluated)


def _encode_utf8(text: str) -> bytes:
    """Encode a text as Go does: a lone surrogate, which JSON escapes can put into a str, becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _decode_problem(response: bytes) -> ConditionProblem:
    match go_json.load(response):
        case {"message": str(message), "line": int(line), "column": int(column), "snippet": str(snippet)}:
            return ConditionProblem(message, line, column, snippet)
        case other:
            raise AssertionError(f"expr.wasm and its host have different versions: {other!r}")
