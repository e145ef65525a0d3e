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

from skywalking_provider.conditions.cel_process import CelProcess
from skywalking_provider.conditions.interface import Judged, Mistake
from skywalking_provider.conditions.limits import Cause, Limits, StoppedError, stopped, too_large, too_long
from skywalking_provider.model import Deadline, Phase

_log = structlog.get_logger(__name__)

# 2 KiB are a page of conditions. 0.4 s are 6,000 buckets; with the slice and the start of the processes it is a second.
CEL_LIMITS = Limits(condition_bytes=2048, seconds=0.4, slice_seconds=0.1, memory_bytes=128 << 20)
_REMEMBERED = 256
_NEAR = 32


class CelConditions:
    """`Conditions` in CEL. Making one costs nothing; it belongs to the event loop it is first used in.

    The answers have no `value`: what Argo stores of a result is the matter of `ExprConditions.value`.
    """

    def __init__(self, limits: Limits = CEL_LIMITS) -> None:
        self._limits = limits
        self._quick = CelProcess(limits.memory_bytes)
        self._patient = CelProcess(limits.memory_bytes)
        self._slow: OrderedDict[tuple[str, ...], None] = OrderedDict()

    async def evaluate(self, success: str, failure: str, result: bytes, *, timeout: float) -> Judged:  # noqa: ASYNC109
        """See `Conditions.evaluate`. Both conditions are evaluated; an error in either is an Error, as at Argo."""
        conditions = {name: text for name, text in (("success", success), ("failure", failure)) if text}
        if trouble := self._refused(conditions, result):
            return _error(trouble)
        if not conditions:
            return Judged(Phase.SUCCESSFUL)
        try:
            answer = await self._ask(conditions, result, Deadline.after(timeout))
        except StoppedError as error:
            return _error(self._sentence(error, len(result), timeout), unanswered=error.cause.unanswered)
        if answer["mistakes"]:
            return _error("; ".join(_pointed(mistake, conditions) for mistake in answer["mistakes"]))
        return Judged(_matrix(answer["truths"].get("success"), answer["truths"].get("failure")))

    async def check(self, condition: str, *, sample: bytes | None = None, timeout: float) -> Mistake | None:  # noqa: ASYNC109
        """See `Conditions.check`."""
        if not condition:
            return None
        if trouble := self._refused({"": condition}, sample or b""):
            return Mistake(trouble)
        try:
            answer = await self._ask({"": condition}, sample, Deadline.after(timeout))
        except StoppedError as error:
            return Mistake(self._sentence(error, len(sample or b""), timeout))
        return _marked(answer["mistakes"][0], condition) if answer["mistakes"] else None

    async def close(self) -> None:
        """See `Conditions.close`. A second time does nothing."""
        await self._quick.close()
        await self._patient.close()

    async def _ask(self, conditions: dict[str, str], result: bytes | None, deadline: Deadline) -> dict[str, Any]:
        key, body = tuple(conditions.values()), result or b""
        question = {"conditions": conditions, "blind": result is None}
        self._patient.prepare()  # beside the quick one: a start takes as long as a whole evaluation may
        if key not in self._slow:
            try:
                return await self._quick.ask(question, body, seconds=self._limits.slice_seconds, deadline=deadline)
            except StoppedError as error:
                if error.cause not in (Cause.TIME, Cause.MEMORY):
                    raise
                self._remember(key)
        answer = await self._patient.ask(question, body, seconds=self._limits.seconds, deadline=deadline)
        if answer["seconds"] < self._limits.slice_seconds:  # only the machine was slow
            self._slow.pop(key, None)
        return answer

    def _remember(self, key: tuple[str, ...]) -> None:
        self._slow[key] = None
        if len(self._slow) > _REMEMBERED:
            self._slow.popitem(last=False)

    def _refused(self, conditions: dict[str, str], result: bytes) -> str:
        for name, text in conditions.items():
            size = len(text.encode("utf-8", "surrogatepass"))
            if size > self._limits.condition_bytes:
                return too_long(f"conditions.{name}" if name else "the condition", size, self._limits)
        return too_large(len(result), self._limits) if len(result) > self._limits.result_bytes else ""

    def _sentence(self, error: StoppedError, size: int, timeout: float) -> str:
        if error.cause is Cause.BROKEN:
            _log.error("the CEL evaluator does not start", detail=error.detail)
        return stopped(error.cause, self._limits, size=size, timeout=timeout)


def _matrix(success: bool | None, failure: bool | None) -> Phase:
    """Argo's: with one condition the other side follows; with both, neither is Inconclusive and failure wins."""
    if failure is None:
        return Phase.SUCCESSFUL if success else Phase.FAILED
    if success is None:
        return Phase.FAILED if failure else Phase.SUCCESSFUL
    if failure:
        return Phase.FAILED
    return Phase.SUCCESSFUL if success else Phase.INCONCLUSIVE


def _error(reason: str, *, unanswered: bool = False) -> Judged:
    return Judged(Phase.ERROR, f"could not evaluate the conditions: {reason}", unanswered=unanswered)


def _pointed(mistake: dict[str, Any], conditions: dict[str, str]) -> str:
    """A mistake in one line: which condition, where, what, and the text from there on."""
    name, line, column = mistake["of"], mistake["line"], mistake["column"]
    if not name or not line:
        return f"{name}: {mistake['message']}" if name else mistake["message"]
    text = conditions[name]
    place = f"line {line}, column {column}" if len(text.splitlines()) > 1 else f"column {column}"
    rest = _line(text, line)[column - 1 :].strip()
    near = f" at ‘{rest if len(rest) <= _NEAR else rest[: _NEAR - 1] + '…'}’" if rest else " at the end"
    return f"{name}, {place}: {mistake['message']}{near}"


def _marked(mistake: dict[str, Any], condition: str) -> Mistake:
    line, column = mistake["line"], mistake["column"]
    if not line:
        return Mistake(mistake["message"])
    return Mistake(mistake["message"], line, column, f" | {_line(condition, line)}\n | {'.' * (column - 1)}^")


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1] if number <= len(lines) else ""
