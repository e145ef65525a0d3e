"""Evaluation in the caller's thread: same outcomes and limits as in the service, without threads."""

from collections.abc import AsyncIterator

import pytest

from skywalking_provider.conditions.expr.evaluator import ExprLanguage
from skywalking_provider.conditions.limits import Limits
from skywalking_provider.model import Phase

pytestmark = pytest.mark.allow_slow_callbacks("the evaluation is in the event loop on purpose")
SLOW = "let xs = 1..900; all(xs, {all(xs, {all(xs, {result > 0})})})"
LARGE = f"let a0 = '{'a' * 64}'; {''.join(f'let a{n} = a{n - 1} + a{n - 1}; ' for n in range(1, 25))}len(a24) > 0"


@pytest.fixture
async def language() -> AsyncIterator[ExprLanguage]:
    one = ExprLanguage(Limits(seconds=0.3, slice_seconds=0.1), inline=True)
    yield one
    await one.close()


@pytest.mark.parametrize(
    ("condition", "phase"), [("result > 1", Phase.SUCCESSFUL), ("result > 2", Phase.FAILED), ("result >", Phase.ERROR)]
)
async def test_condition_has_the_phase_of_argo(language: ExprLanguage, condition: str, phase: Phase) -> None:
    assert (await language.evaluate(condition, "", b"2", timeout=30)).phase is phase


@pytest.mark.parametrize(("condition", "limit"), [(SLOW, "time limit of 0.3 s"), (LARGE, "memory limit")])
async def test_exceeded_limit_is_an_error_and_the_next_condition_is_evaluated(
    language: ExprLanguage, condition: str, limit: str
) -> None:
    stopped = await language.evaluate(condition, "", b"2", timeout=30)
    after = await language.evaluate("result > 1", "", b"2", timeout=30)

    assert stopped.phase is Phase.ERROR
    assert limit in stopped.message
    assert after.phase is Phase.SUCCESSFUL


async def test_closed_evaluator_evaluates_nothing(language: ExprLanguage) -> None:
    await language.close()

    evaluation = await language.evaluate("result > 1", "", b"2", timeout=30)

    assert (evaluation.phase, evaluation.not_evaluated) == (Phase.ERROR, True)


async def test_evaluator_recovers_an_instance(language: ExprLanguage) -> None:
    await language.evaluate("result > 1", "", b"2", timeout=30)
    await language.recover()

    assert language.healthy
