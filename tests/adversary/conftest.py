"""Adversarial cases: a marker for each fault, a fixture for processes, and the report of `make adversary`.

A case is one identifier of docs/security.md, section "Adversarial trials". It is HELD if it has at least one test and
all of its tests pass. With `--all-cases` a case without a test, or with a skipped test, fails the run.
"""

import signal
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.adversary.harness import Trial

CASES: Final = (*(f"B{number}" for number in range(1, 13)), *(f"W{number}" for number in range(1, 11)))


@dataclass
class CaseResult:
    """Outcomes of the tests of one case."""

    seconds: float = 0.0
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Return whether the case has tests and all of them passed."""
        return bool(self.passed) and not self.failed


_RESULTS: Final = pytest.StashKey[dict[str, CaseResult]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-cases", action="store_true", help="print each case; a missing or skipped one is a failure")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RESULTS] = defaultdict(CaseResult)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment,misc]
    marker = item.get_closest_marker("adversary")
    if marker is not None:
        for case in marker.args:
            result = item.config.stash[_RESULTS][case]
            result.seconds += report.duration
            if report.failed or report.skipped:
                result.failed.append(f"{item.name} {report.outcome}")
            elif report.when == "call":
                result.passed.append(item.name)
    return report  # type: ignore[return-value]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            marker = item.get_closest_marker("adversary")
            if marker is None or not set(marker.args) <= set(CASES) or not marker.args:
                raise pytest.UsageError(f"{item.nodeid} needs @pytest.mark.adversary with cases of {', '.join(CASES)}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("all_cases", default=False):
        return
    terminalreporter.section("adversarial cases")
    results = config.stash[_RESULTS]
    for case in CASES:
        result = results[case]
        detail = "; ".join(result.failed) or f"{len(result.passed)} tests, {result.seconds:.1f} s"
        outcome = "HELD" if result.held else "BROKEN"
        terminalreporter.write_line(f"{case:<3} {outcome:<6} {detail if result.passed or result.failed else 'no test'}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("all_cases", default=False):
        results = session.config.stash[_RESULTS]
        if not all(results[case].held for case in CASES) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True, scope="session")
def _default_hangup_signal() -> Iterator[None]:
    """Let the processes of the trials handle SIGHUP, also under `nohup`, which makes them ignore it."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, previous)


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    """Start the processes of a trial, and end them after the test."""
    with Trial(tmp_path) as started:
        yield started
