"""Tests of the command `skywalking-provider suggest`, alone and before `lint` and `check`."""

import asyncio
import functools
import os
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from skywalking_provider.cli import app
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.mock_oap.scenario import Scenario, parse_scenario
from tests.tools.suggest.harness import build_service
from tests.tools.suggest.test_rollout import BLOCK

pytestmark = [
    pytest.mark.timeout(600),  # a busy machine takes minutes to start a process
    pytest.mark.allow_slow_callbacks("a suggestion computes for seconds, and serves no one meanwhile"),
]


def build_scenario() -> Scenario:
    service = build_service("reviews.shop", pods=2, calls=200, canary_calls=40)
    return parse_scenario(yaml.safe_dump({"services": [service]}), "command")


async def run(folder: Path, *arguments: str, stdin: str = "") -> Result:
    """Run a command in a thread."""
    environment = dict.fromkeys(name for name in os.environ if name.startswith(("SWP_", "SW_")))
    invoke = functools.partial(
        CliRunner().invoke,
        app,
        [*arguments],
        input=stdin,
        env={**environment, "XDG_CACHE_HOME": str(folder / "cache")},
    )
    return await asyncio.to_thread(invoke)


async def test_suggestion_passes_lint_and_check_in_a_pipe(tmp_path: Path) -> None:
    file = tmp_path / "rollout.yaml"
    file.write_text(BLOCK)
    async with MockOap(build_scenario()) as oap:
        suggested = await run(
            tmp_path,
            *("suggest", "--service", "reviews.shop", "--since", "2h", "--rollout", str(file)),
            *("--background", "--write", "--address", oap.address),
        )
        linted = await run(tmp_path, "lint", "--pass-through", "-", stdin=suggested.stdout)
        (hint,) = [line for line in suggested.stderr.splitlines() if line.startswith("try it: ")]
        arguments = hint.partition("-f TEMPLATE ")[2].split()
        checked = await run(tmp_path, "check", "-f", "-", *arguments, "--address", oap.address, stdin=linted.stdout)
        both = await run(tmp_path, "lint", "-", stdin=f"{suggested.stdout}---\n{file.read_text()}")

    assert (suggested.exit_code, linted.exit_code, checked.exit_code, both.exit_code) == (0, 0, 0, 0)
    assert checked.stdout.count("✔ Successful") == 4
    template, background = yaml.safe_load_all(suggested.stdout)
    assert (template["metadata"], background["metadata"]["name"]) == (
        {"name": "reviews-shop", "namespace": "shop"},
        "reviews-shop-background",
    )
    canary = yaml.safe_load(file.read_text())["spec"]["strategy"]["canary"]
    assert canary["analysis"]["templates"] == [{"templateName": "reviews-shop-background"}]
    assert [next(iter(one)) for one in canary["steps"]].index("analysis") == 4
    assert re.search(r"- setWeight 1: 4\.1\d canary calls a minute, a verdict takes about", suggested.stderr)


async def test_rollout_is_shown_as_a_diff_and_not_written(tmp_path: Path) -> None:
    file = tmp_path / "rollout.yaml"
    file.write_text(BLOCK)
    async with MockOap(build_scenario()) as oap:
        result = await run(
            tmp_path,
            *("suggest", "--service", "reviews.shop", "--since", "1h", "--rollout", str(file), "--no-cache"),
            *("--thresholds", "--name", "chosen", "-n", "prod", "--address", oap.address),
        )

    assert (result.exit_code, file.read_text()) == (0, BLOCK)
    assert "+          - {templateName: chosen}" in result.stderr.splitlines()
    assert yaml.safe_load(result.stdout)["metadata"] == {"name": "chosen", "namespace": "prod"}
    assert not (tmp_path / "cache").exists()


CONFIG = {"backends": {"prod": {"url": "http://127.0.0.1:9"}, "stage": {"url": "http://127.0.0.1:10"}}}


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("--service", "reviews.shpo"), 2, "OAP does not know 'reviews.shpo'. Did you mean reviews.shop?"),
        (
            ("--service", "reviews.shop", "--layer", "GENERAL"),
            2,
            "OAP knows 'reviews.shop' in MESH, not in layer GENERAL",
        ),
        (("--service", "reviews.shop", "--rollout", "none.yaml"), 2, "none.yaml cannot be read: No such file"),
        (("--service", "reviews.shop", "--write"), 2, "needs --rollout"),
        (("--service", "reviews.shop", "--since", "40d"), 2, "must be from 10m to 30d"),
        (("--service", "reviews.shop", "--name", "No Name"), 2, "is 'No Name', must be a name for Kubernetes"),
        (("--service", "reviews.shop", "--address", "http://127.0.0.1:9"), 3, "cannot be reached"),
        (("--service", "x", "-c", "config.yaml"), 2, "several backends. Set it to one of prod, stage"),
        (("--service", "x", "-c", "config.yaml", "--backend", "prd"), 2, "Did you mean prod?"),
        (("--service", "x", "-c", "config.yaml", "--backend", "prod"), 3, "backend prod at http://127.0.0.1:9"),
    ],
)
async def test_errors_name_the_problem_and_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    async with MockOap(build_scenario()) as oap:
        address = () if {"-c", "--address"} & {*arguments} else ("--address", oap.address)
        result = await run(tmp_path, "suggest", *arguments, *address)

    assert (result.exit_code, result.stdout) == (code, "")
    assert problem in " ".join(result.stderr.replace("│", " ").split())
