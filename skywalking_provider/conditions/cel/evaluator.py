"""CEL as a condition language, evaluated by cel-python in worker processes that can be killed.

cel-python has no limits: three nested `all` run for minutes, and nothing stops them from inside the process. Therefore
the service never imports it. Two workers are started with the first evaluation, one for the fast tier and one for the
isolated tier (see `tiers`).
"""

import asyncio

import structlog

from skywalking_provider.conditions.base import ConditionProblem, Evaluation
from skywalking_provider.conditions.cel.protocol import WorkerProblem, WorkerResponse
from skywalking_provider.conditions.cel.worker_process import CelProcess, WorkerFaultError
from skywalking_provider.conditions.limits import (
    Limits,
    StoppedError,
    StopReason,
    describe_stop,
    describe_too_large,
    describe_too_long,
)
from skywalking_provider.conditions.tiers import Tiers
from skywalking_provider.model import Deadline, Phase

_log = structlog.get_logger(__name__)

# 2 KiB is a page of conditions. 0.4 s suffice for 6,000 buckets; with the slice and the start of the processes, an
# evaluation takes at most about a second.
CEL_LIMITS = Limits(condition_bytes=2048, seconds=0.4, slice_seconds=0.1, memory_bytes=128 << 20)
_MAX_EXCERPT_CHARACTERS = 32


class CelLanguage:
    """`ConditionLanguage` in CEL. Creating it starts no process. It belongs to the event loop of its first use.

    Its evaluations have no `value`; `ExprLanguage.encode_value` returns what Argo stores of a result.
    """

    def __init__(self, limits: Limits = CEL_LIMITS) -> None:
        self._limits = limits
        self._fast = CelProcess(limits.memory_bytes)
        self._isolated = CelProcess(limits.memory_bytes)
        self._tiers = Tiers(limits.slice_seconds)

    @property
    def healthy(self) -> bool:
        """Whether the workers, if they were needed, could be started the last time."""
        return not (self._fast.start_problem or self._isolated.start_problem)

    async def recover(self) -> None:
        """Try to start the workers that could not be started."""
        await asyncio.gather(self._fast.recover(), self._isolated.recover())

    async def evaluate(
        self,
        success: str,
        failure: str,
        result: bytes,
        *,
        timeout: float,  # noqa: ASYNC109
        namespace: str = "",
    ) -> Evaluation:
        """Evaluate both conditions; an error in either is an Error, as in Argo. See `ConditionLanguage.evaluate`."""
        conditions = {name: text for name, text in (("success", success), ("failure", failure)) if text}
        if problem := self._describe_size_problem(conditions, result):
            return _build_error(problem)
        if not conditions:
            return Evaluation(Phase.SUCCESSFUL)
        try:
            response = await self._request(conditions, result, namespace, Deadline.after(timeout))
        except StoppedError as error:
            return _build_error(
                self._report_stop(error, len(result), timeout), not_evaluated=error.reason.not_evaluated
            )
        if response.problems:
            return _build_error("; ".join(_format_problem(problem, conditions) for problem in response.problems))
        return Evaluation(_combine_phases(response.values.get("success"), response.values.get("failure")))

    async def check(self, condition: str, *, sample: bytes | None = None, timeout: float) -> ConditionProblem | None:  # noqa: ASYNC109
        """Find an error in a condition; see `ConditionLanguage.check`."""
        if not condition:
            return None
        if problem := self._describe_size_problem({"": condition}, sample or b""):
            return ConditionProblem(problem)
        try:
            response = await self._request({"": condition}, sample, "", Deadline.after(timeout))
        except StoppedError as error:
            return ConditionProblem(self._report_stop(error, len(sample or b""), timeout))
        return _build_problem(response.problems[0], condition) if response.problems else None

    async def close(self) -> None:
        """Stop running evaluations; pending calls return an Error. May be called twice."""
        self._tiers.close()
        await self._fast.close()
        await self._isolated.close()

    async def _request(
        self, conditions: dict[str, str], result: bytes | None, namespace: str, deadline: Deadline
    ) -> WorkerResponse:
        self._isolated.prepare()  # in parallel to the fast one: a start takes longer than a whole evaluation may

        async def request_isolated() -> tuple[WorkerResponse, float]:
            seconds = self._limits.seconds
            try:
                response = await self._isolated.request(conditions, result, seconds=seconds, deadline=deadline)
            except WorkerFaultError:  # the next one shows whether the condition caused it
                response = await self._isolated.request(conditions, result, seconds=seconds, deadline=deadline)
            return response, response.cpu_seconds

        # A fault of the fast worker needs no other attempt than the one in the isolated tier.
        return await self._tiers.run(
            tuple(conditions.values()),
            namespace,
            deadline,
            size=len(result or b""),
            fast=lambda: self._fast.request(conditions, result, seconds=self._limits.slice_seconds, deadline=deadline),
            isolated=request_isolated,
        )

    def _describe_size_problem(self, conditions: dict[str, str], result: bytes) -> str:
        for name, text in conditions.items():
            size = len(text.encode("utf-8", "surrogatepass"))
            if size > self._limits.condition_bytes:
                return describe_too_long(f"conditions.{name}" if name else "the condition", size, self._limits)
        return describe_too_large(len(result), self._limits) if len(result) > self._limits.result_bytes else ""

    def _report_stop(self, error: StoppedError, size: int, timeout: float) -> str:
        if error.reason is StopReason.UNAVAILABLE:
            _log.error("CEL evaluator does not start", detail=error.detail)
        return describe_stop(error.reason, self._limits, size=size, timeout=timeout)


def _combine_phases(success: bool | None, failure: bool | None) -> Phase:
    """Apply Argo's rules: one condition decides alone; with both, failure wins, and neither is Inconclusive."""
    if failure is None:
        return Phase.SUCCESSFUL if success else Phase.FAILED
    if success is None:
        return Phase.FAILED if failure else Phase.SUCCESSFUL
    if failure:
        return Phase.FAILED
    return Phase.SUCCESSFUL if success else Phase.INCONCLUSIVE


def _build_error(reason: str, *, not_evaluated: bool = False) -> Evaluation:
    return Evaluation(Phase.ERROR, f"could not evaluate the conditions: {reason}", not_evaluated=not_evaluated)


def _format_problem(problem: WorkerProblem, conditions: dict[str, str]) -> str:
    """Format a problem in one line: the condition, the place with an excerpt of the text, and the error."""
    name, line, column = problem.condition, problem.line, problem.column
    if not name or not line:
        return f"{name}: {problem.message}" if name else problem.message
    text = conditions[name]
    place = f"line {line}, column {column}" if len(text.splitlines()) > 1 else f"column {column}"
    rest = _select_line(text, line)[column - 1 :].strip()
    excerpt = rest if len(rest) <= _MAX_EXCERPT_CHARACTERS else rest[: _MAX_EXCERPT_CHARACTERS - 1] + "…"
    return f"{name}, {place}{f' (‘{excerpt}’)' if excerpt else ' (at the end)'}: {problem.message}"


def _build_problem(problem: WorkerProblem, condition: str) -> ConditionProblem:
    line, column = problem.line, problem.column
    if not line:
        return ConditionProblem(problem.message)
    snippet = f" | {_select_line(condition, line)}\n | {'.' * (column - 1)}^"
    return ConditionProblem(problem.message, line, column, snippet)


def _select_line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1] if number <= len(lines) else ""
