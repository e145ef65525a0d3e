"""The tutorial's commands in its order, with the output and the exit codes that the page has.

The test leaves out the clone, `make build` and `make demo`, which need more than the command.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/tutorial.md").read_text()
NOT_RUN = ("git clone ", "export PATH=", "make demo")
MOCK = "skywalking-provider mock-oap "
PORT = "12800"
ENVIRONMENT = {
    "COLUMNS": "250",
    "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    "SWP_BACKENDS__DEFAULT__TIMEOUT": "60s",
}
FENCED = re.compile(r"^```.*?^```\n", re.MULTILINE | re.DOTALL)
OUTPUT = re.compile(r"^```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A block of commands, with the output and the exit code that the page has before the next one."""

    commands: str
    outputs: tuple[str, ...]
    exit_code: int


def list_steps() -> Iterator[Step]:
    for part in re.split(r"^```sh\n", PAGE, flags=re.MULTILINE)[1:]:
        commands, _, rest = part.partition("\n```\n")
        stated = re.search(r"exit code (?:is )?(\d)", FENCED.sub("", rest))
        yield Step(commands, tuple(OUTPUT.findall(rest)), int(stated[1]) if stated else 0)


@dataclass
class Reader:
    """A reader with two terminals: one has the mock, the other one the rest."""

    folder: Path
    port: str = PORT
    mock: subprocess.Popen[str] | None = None
    environment: dict[str, str] = field(default_factory=lambda: os.environ | ENVIRONMENT)

    def start_mock(self, command: str) -> str:
        """Start the mock on a free port, and return its first line with the port of the page."""
        self.stop_mock()
        self.mock = subprocess.Popen(
            [*command.split(), "--listen", "127.0.0.1:0"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.mock.stdout
        ready = self.mock.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", ready)
        assert found, ready
        self.port = found[1]
        return ready.replace(self.port, PORT)

    def stop_mock(self) -> None:
        if self.mock:
            self.mock.terminate()
            self.mock.communicate()
            self.mock = None

    def run(self, commands: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", commands.replace(PORT, self.port)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.stop_mock()


def build_pattern(documented: str) -> re.Pattern[str]:
    """Return the pattern of a documented line. An ellipsis is any text, a whole number any number, a bar any bar.

    A run has one minute more or less if a busy machine starts and measures in different minutes.
    """
    pattern = ".*".join(re.escape(part.strip()) for part in documented.split("…"))
    pattern = re.sub(r"(?<![\d.])\d+(?:\\ \d{3})*(?!\d|\\\.\d)", r"\\d+(?: \\d{3})*", pattern)
    return re.compile(re.sub(r"(\\ )+", r"\\s+", re.sub(r"[▁-█]+", "[▁-█]+", pattern)))


def find_missing_line(documented: str, output: str) -> str | None:
    """Return the first documented line that the output lacks in this order."""
    lines = iter(output.splitlines())
    for line in documented.splitlines():
        if not any(build_pattern(line).fullmatch(one.strip()) for one in lines):
            return line
    return None


@pytest.mark.timeout(1800)
def test_tutorial_leads_to_the_documented_output(reader: Reader) -> None:
    verdicts = []
    for step in list_steps():
        if step.commands.startswith(NOT_RUN):
            continue
        if step.commands.startswith(MOCK):
            output, exit_code = reader.start_mock(step.commands), 0
        else:
            done = reader.run(step.commands)
            output, exit_code = done.stdout, done.returncode
            assert not done.stderr, done.stderr
            verdicts += re.findall(r"^  verdict +\S (\w+)", output, re.MULTILINE)
        for documented in step.outputs:
            if documented.startswith("  cause ") and not re.search("^  cause ", output, re.MULTILINE):
                continue  # a busy machine does not read the cause in the two seconds that it has
            assert find_missing_line(documented, output) is None, output
        assert exit_code == step.exit_code, (step.commands, output)
        if "maxWait: 90m" in step.commands:
            assert "note" not in output, "the page says that the note is gone"

    assert verdicts == ["Failed", "Successful", "Successful", "Failed", "Running", "Running"]


def test_template_of_the_tutorial_is_passed_its_arguments_by_the_rollout() -> None:
    """The Rollout's step at the end of the page names the template and each of its arguments."""
    declared = re.findall(r"^  - name: ([\w-]+-hash)$", PAGE.partition("## Judge a bad canary")[0], re.MULTILINE)
    step = PAGE.partition("## The template in a Rollout")[2]

    assert "templateName: success-rate" in step
    assert re.findall(r"- name: ([\w-]+-hash)", step) == declared
