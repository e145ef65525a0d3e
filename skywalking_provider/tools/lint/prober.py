"""Conditions, compiled and evaluated on possible results by the service's own evaluators. Outcomes are kept by text."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from skywalking_provider.conditions import ConditionLanguage, ConditionProblem
from skywalking_provider.conditions.cel.evaluator import CelLanguage
from skywalking_provider.conditions.expr.evaluator import ExprLanguage
from skywalking_provider.model import Phase
from skywalking_provider.tools.lint.result_shapes import ResultShape

_TIMEOUT_SECONDS: Final = 20.0
"""Time for one condition on a busy machine. The evaluators end it much earlier."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions of a metric or a block, with arguments replaced.

    Attributes:
        success: Condition of success; empty for none.
        failure: Condition of failure; empty for none.
        cel: Whether they are CEL expressions.
    """

    success: str
    failure: str
    cel: bool = False

    @property
    def written(self) -> tuple[str, ...]:
        """The conditions that are not empty."""
        return tuple(filter(None, (self.success, self.failure)))


@dataclass(slots=True)
class Outcomes:
    """Phases that conditions have for possible results.

    Attributes:
        phases: The phases that were seen.
        error: Message of the first Error; empty for none.
    """

    phases: set[Phase] = field(default_factory=set)
    error: str = ""


class Prober:
    """Compiles and evaluates conditions. The evaluators start with the first condition, and stop with the context.

    Raises:
        FileNotFoundError: The evaluator of expr was not built.
    """

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._languages: dict[bool, ConditionLanguage] = {}
        self._problems: dict[tuple[str, bool, bytes | None], ConditionProblem | None] = {}
        self._phases: dict[tuple[Conditions, bytes], tuple[Phase, str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def find_problem(self, text: str, *, cel: bool, shapes: Sequence[ResultShape]) -> ConditionProblem | None:
        """Return the error of a condition that it has for every type of result; None if one type suits it."""
        first: ConditionProblem | None = None
        samples: list[bytes | None] = [shape.sample for shape in shapes]
        for sample in samples or [None]:
            problem = await self._check(text, cel, sample)
            if problem is None:
                return None
            first = first or problem
        return first

    async def evaluate(self, conditions: Conditions, result: bytes) -> tuple[Phase, str]:
        """Return the phase and the message of conditions for a result."""
        key = (conditions, result)
        if key not in self._phases:
            language = self._language(conditions.cel)
            evaluation = await language.evaluate(
                conditions.success, conditions.failure, result, timeout=_TIMEOUT_SECONDS
            )
            self._phases[key] = (evaluation.phase, evaluation.message)
        return self._phases[key]

    async def find_outcomes(self, conditions: Conditions, shape: ResultShape) -> Outcomes:
        """Evaluate conditions on possible results until both Successful and Failed were seen."""
        outcomes = Outcomes()
        for result in shape.results(*conditions.written):
            phase, message = await self.evaluate(conditions, result)
            outcomes.phases.add(phase)
            if phase is Phase.ERROR:
                outcomes.error = outcomes.error or message
            if {Phase.SUCCESSFUL, Phase.FAILED} <= outcomes.phases:
                break
        return outcomes

    async def _check(self, text: str, cel: bool, sample: bytes | None) -> ConditionProblem | None:
        key = (text, cel, sample)
        if key not in self._problems and sample is not None:
            phase, _ = await self.evaluate(Conditions(text, "", cel), sample)
            if phase is not Phase.ERROR:  # it compiles, and its outcome is needed later in any case
                self._problems[key] = None
        if key not in self._problems:
            language = self._language(cel)
            self._problems[key] = await language.check(text, sample=sample, timeout=_TIMEOUT_SECONDS)
        return self._problems[key]

    def _language(self, cel: bool) -> ConditionLanguage:
        if cel not in self._languages:
            language: ConditionLanguage = CelLanguage() if cel else ExprLanguage(inline=True)
            self._stack.push_async_callback(language.close)
            self._languages[cel] = language
        return self._languages[cel]
