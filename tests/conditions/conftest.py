import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from skywalking_provider.conditions import Limits, open_expr_evaluator
from skywalking_provider.conditions.expr.evaluator import ExprLanguage

DATA = Path(__file__).with_name("data")
# Modules whose tests also run on asyncio's own loop, which the other commands use: the loops differ in their errors.
_BOTH_LOOPS = ("test_worker_faults", "test_fair_slot", "test_tiers")


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the tests on the loop of `serve`."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    return factories | {"asyncio": asyncio.new_event_loop} if item.path.stem in _BOTH_LOOPS else factories


@pytest.fixture
async def conditions() -> AsyncIterator[ExprLanguage]:
    # Time limits that a loaded machine meets. Tests of the time limits open an evaluator of their own.
    async with open_expr_evaluator(Limits(seconds=60, slice_seconds=20)) as opened:
        yield opened


@pytest.fixture
def eval_command() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        program = Path(sys.executable).with_name("skywalking-provider")
        return subprocess.run([program, "eval", *arguments], input=stdin, capture_output=True, check=False, timeout=60)

    return run


@pytest.fixture
def stream(
    eval_command: Callable[..., subprocess.CompletedProcess[bytes]],
) -> Callable[[Iterable[dict[str, Any]]], list[dict[str, str]]]:
    def run(cases: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
        done = eval_command("--jsonl", stdin="".join(json.dumps(case) + "\n" for case in cases).encode())
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def rows() -> Callable[[str], list[dict[str, Any]]]:
    def read(name: str) -> list[dict[str, Any]]:
        text = (DATA / name).read_text()
        return [json.loads(line) for line in text.splitlines()] if name.endswith(".jsonl") else json.loads(text)

    return read
