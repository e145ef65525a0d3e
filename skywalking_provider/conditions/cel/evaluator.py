"""CEL, for those who prefer it: cel-python in processes of its own, which can be ended.

cel-python has no limits: three `all` inside each other run for minutes, and nothing stops them from inside. So nothing
of it is imported here; processes are started with the first question. As with expr (see `lanes`), there are two: every
evaluation begins in the *quick* one, and what is not done within its slice or wants too much memory is done again in
the *patient* one, with the whole of its limits, while the quick one serves the others. An expression that was stopped
is remembered and goes to the patient one at once.
"""

from collections import OrderedDict
from typing import Any

import structlog

from skywalking_provider.conditions.base import ConditionProblem, Evaluation
from skywalking_provider.conditions.cel.worker_process import CelProcess
from skywalking_provider.conditions.limits import (
    Limits,
    StoppedError,
    StopReason,
    describe_stop,
    describe_too_large,
    describe_too_long,
)
from skywalking_provider.model import Deadline, Phase

_log = structlog.get_logger(__name__)

# 2 KiB are a page of conditions. 0.4 s are 6,000 buckets; with the slice and the start of the processes it is a second.
CEL_LIMITS = Limits(condition_bytes=2048, seconds=0.4, slice_seconds=0.1, memory_bytes=128 << 20)
_MAX_SLOW = 256
_MAX_EXCERPT_CHARACTERS = 32


class CelLanguage:
    """`Conditions` in CEL. Making one costs nothing; it belongs to the event loop it is first used in.

    The answers have no `value`: what Argo stores of a result is the matter of `ExprConditions.value`.
    """

    def __init__(self, limits: Limits = CEL_LIMITS) -> None:
        self._limits = limits
        self._fast = CelProcess(limits.memory_bytes)
        self._isolated = CelProcess(limits.memory_bytes)
        self._slow: OrderedDict[tuple[str, ...], None] = OrderedDict()

    async def evaluate(self, success: str, failure: str, result: bytes, *, timeout: float) -> Evaluation:  # noqa: ASYNC109
        """See `Conditions.evaluate`. Both conditions are evaluated; an error in either is an Error, as at Argo."""
        conditions = {name: text for name, text in (("success", success), ("failure", failure)) if text}
        if trouble := self._describe_size_problem(conditions, result):
            return _build_error(trouble)
        if not conditions:
            return Evaluation(Phase.SUCCESSFUL)
        try:
            answer = await self._request(conditions, result, Deadline.after(timeout))
        except StoppedError as error:
            return _build_error(
                self._report_stop(error, len(result), timeout), not_evaluated=error.reason.not_evaluated
            )
        if answer["mistakes"]:
            return _build_error("; ".join(_format_problem(mistake, conditions) for mistake in answer["mistakes"]))
        return Evaluation(_combine_phases(answer["truths"].get("success"), answer["truths"].get("failure")))

    async def check(self, condition: str, *, sample: bytes | None = None, timeout: float) -> ConditionProblem | None:  # noqa: ASYNC109
        """See `Conditions.check`."""
        if not condition:
            return None
        if trouble := self._describe_size_problem({"": condition}, sample or b""):
            return ConditionProblem(trouble)
        try:
            answer = await self._request({"": condition}, sample, Deadline.after(timeout))
        except StoppedError as error:
            return ConditionProblem(self._report_stop(error, len(sample or b""), timeout))
        return _build_problem(answer["mistakes"][0], condition) if answer["mistakes"] else None

    async def close(self) -> None:
        """See `Conditions.close`. A second time does nothing."""
        await self._fast.close()
        await self._isolated.close()

    async def _request(self, conditions: dict[str, str], result: bytes | None, deadline: Deadline) -> dict[str, Any]:
        key, body = tuple(conditions.values()), result or b""
        question = {"conditions": conditions, "blind": result is None}
        self._isolated.prepare()  # beside the quick one: a start takes as long as a whole evaluation may
        if key not in self._slow:
            try:
                return await self._fast.request(question, body, seconds=self._limits.slice_seconds, deadline=deadline)
            except StoppedError as error:
                if error.reason not in (StopReason.TIME, StopReason.MEMORY):
                    raise
                self._mark_slow(key)
        answer = await self._isolated.request(question, body, seconds=self._limits.seconds, deadline=deadline)
        if answer["seconds"] < self._limits.slice_seconds:  # only the machine was slow
            self._slow.pop(key, None)
        return answer

    def _mark_slow(self, key: tuple[str, ...]) -> None:
        self._slow[key] = None
        if len(self._slow) > _MAX_SLOW:
            self._slow.popitem(last=False)

    def _describe_size_problem(self, conditions: dict[str, str], result: bytes) -> str:
        for name, text in conditions.items():
            size = len(text.encode("utf-8", "surrogatepass"))
            if size > self._limits.condition_bytes:
                return describe_too_long(f"conditions.{name}" if name else "the condition", size, self._limits)
        return describe_too_large(len(result), self._limits) if len(result) > self._limits.result_bytes else ""

    def _report_stop(self, error: StoppedError, size: int, timeout: float) -> str:
        if error.reason is StopReason.UNAVAILABLE:
            _log.error("the CEL evaluator does not start", detail=error.detail)
        return describe_stop(error.reason, self._limits, size=size, timeout=timeout)


def _combine_phases(success: bool | None, failure: bool | None) -> Phase:
    """Argo's: with one condition the other side follows; with both, neither is Inconclusive and failure wins."""
    if failure is None:
        return Phase.SUCCESSFUL if success else Phase.FAILED
    if success is None:
        return Phase.FAILED if failure else Phase.SUCCESSFUL
    if failure:
        return Phase.FAILED
    return Phase.SUCCESSFUL if success else Phase.INCONCLUSIVE


def _build_error(reason: str, *, not_evaluated: bool = False) -> Evaluation:
    return Evaluation(Phase.ERROR, f"could not evaluate the conditions: {reason}", not_evaluated=not_evaluated)


def _format_problem(problem: dict[str, Any], conditions: dict[str, str]) -> str:
    """A mistake in one line: which condition, where, what, and the text from there on."""
    name, line, column = problem["of"], problem["line"], problem["column"]
    if not name or not line:
        return f"{name}: {problem['message']}" if name else problem["message"]
    text = conditions[name]
    place = f"line {line}, column {column}" if len(text.splitlines()) > 1 else f"column {column}"
    rest = _select_line(text, line)[column - 1 :].strip()
    near = (
        f" at ‘{rest if len(rest) <= _MAX_EXCERPT_CHARACTERS else rest[: _MAX_EXCERPT_CHARACTERS - 1] + '…'}’"
        if rest
        else " at the end"
    )
    return f"{name}, {place}: {problem['message']}{near}"


def _build_problem(problem: dict[str, Any], condition: str) -> ConditionProblem:
    line, column = problem["line"], problem["column"]
    if not line:
        return ConditionProblem(problem["message"])
    return ConditionProblem(
        problem["message"], line, column, f" | {_select_line(condition, line)}\n | {'.' * (column - 1)}^"
    )


def _select_line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1] if number <= len(lines) else ""
