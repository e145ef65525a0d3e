"""Tests of the command `skywalking-provider backtest`."""

import asyncio
import functools
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from skywalking_provider.cli import app
from skywalking_provider.mock_oap import MockOap
from tests.tools.backtest.harness import HASHES, build_comparison, build_metric, build_template, list_cache_files

pytestmark = pytest.mark.timeout(600)  # a busy machine takes minutes to start a process
COMPARISON = build_template(build_comparison(), args=HASHES)
OBJECTIVE = build_template(build_metric(sli="success-rate", objective=0.9))


async def run_backtest(folder: Path, *arguments: str, template: object = COMPARISON.document) -> tuple[int, str, str]:
    """Run the command in a thread. Return the exit code, the output and the errors."""
    file = folder / "t.yaml"
    file.write_text(yaml.safe_dump(template))
    environment = dict.fromkeys(name for name in os.environ if name.startswith(("SWP_", "SW_")))
    invoke = functools.partial(
        CliRunner().invoke,
        app,
        ["backtest", "-f", str(file), *arguments],
        env={**environment, "XDG_CACHE_HOME": str(folder / "cache")},
    )
    result = await asyncio.to_thread(invoke)
    return result.exit_code, result.stdout, result.stderr


async def test_command_prints_outcomes_and_the_aborted_run(tmp_path: Path) -> None:
    async with MockOap("past-deploys") as oap:
        code, out, err = await run_backtest(tmp_path, "--since", "7h", "--address", oap.address)

    assert (code, err) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines() if line}
    assert "1         1               ·        ·        ·  50 % (9.45 %–90.5 %)" in rows["success-rate"]
    (aborted,) = [line for line in out.splitlines() if line.startswith("✖")]
    assert "canary-hash=6c85f7bf4" in aborted
    assert "WORSE_THAN_STABLE success-rate 0.875" in aborted
    assert (tmp_path / "cache" / "skywalking-provider" / "backtest").is_dir()


async def test_command_json_has_runs_measurements_and_rates(tmp_path: Path) -> None:
    async with MockOap("past-deploys") as oap:
        code, out, err = await run_backtest(
            tmp_path,
            *("--since", "2h", "--no-cache", "-o", "json", "--address", oap.address),
            template=OBJECTIVE.document,
        )

    (report,) = json.loads(out)
    assert (code, err, report["summary"]["runs"], report["runLength"]) == (0, "", 4, 30)
    assert report["summary"]["aborts"] | {"high": 0} == {
        "events": 0, "runs": 4, "rate": 0.0, "low": 0.0, "high": 0, "confidence": 0.95,
    }  # fmt: skip
    assert len(report["runs"][0]["metrics"][0]["measurements"]) > 20
    assert list_cache_files(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--since", "1m"), "must be from 10m to 30d"),
        (("--since", "40d"), "must be from 10m to 30d"),
        (("--since", "7x"), "is not a duration"),
        (("--every", "90s"), "must be in whole minutes"),
        (("-a", "unknown=1"), "not declared in spec.args"),
        (("--metric", "none"), "not in any template"),
    ],
)
async def test_command_rejects_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], problem: str) -> None:
    code, out, err = await run_backtest(tmp_path, *arguments, "--address", "http://127.0.0.1:9")

    assert (code, out) == (2, "")
    assert problem in " ".join(err.replace("│", " ").split())


async def test_command_without_an_oap_exits_with_three(tmp_path: Path) -> None:
    code, out, err = await run_backtest(tmp_path, "--address", "http://127.0.0.1:9")

    assert (code, out) == (3, "")
    assert "cannot be reached" in err


async def test_command_continues_after_it_was_killed(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        oap = await stack.enter_async_context(MockOap("past-deploys"))
        (tmp_path / "t.yaml").write_text(yaml.safe_dump(OBJECTIVE.document))
        oap.add_fault("hang", match=" 0000", times=1)  # one chunk does not arrive
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "skywalking_provider", "backtest", "-f", "t.yaml", "--since", "24h"),
            *("--cache", str(tmp_path / "c"), "--address", oap.address),
            cwd=tmp_path,
        )
        while len(list_cache_files(tmp_path / "c")) < 4:  # noqa: ASYNC110 # two series of two chunks, of a process
            await asyncio.sleep(0.05)
        process.kill()
        await process.wait()
        kept = len(list_cache_files(tmp_path / "c"))
        oap.requests.clear()
        oap.clear_faults()
        code, _, err = await run_backtest(
            tmp_path, *("--since", "24h", "--cache", str(tmp_path / "c"), "--address", oap.address),
            template=OBJECTIVE.document,
        )  # fmt: skip

    reads = [one for one in oap.requests if "execExpression" in one.body and '"duration"' in one.body]
    assert (code, err) == (0, "")
    assert kept >= 4
    assert len(reads) <= 5 - kept // 2 + 1  # of five chunks; the newest one may have grown
