"""The command `skywalking-provider eval`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Eval = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.mark.parametrize(
    ("success", "failure", "phase", "code"),
    [
        ("result > 1", "", "Successful", 0),
        ("result > 3", "", "Failed", 1),
        ("result.a", "", "Error", 2),
        ("result > 3", "result < 1", "Inconclusive", 4),
    ],
)
def test_exit_code_depends_on_the_phase(eval_command: Eval, success: str, failure: str, phase: str, code: int) -> None:
    done = eval_command("--success", success, "--failure", failure, "-o", "json", stdin=b"2")
    assert done.returncode == code
    outcome = json.loads(done.stdout)
    assert outcome["phase"] == phase
    assert outcome["value"] == "2"
    assert bool(outcome["message"]) == (phase == "Error")


def test_output_shows_which_condition_holds(eval_command: Eval, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text('{"sla": 0.95}')
    done = eval_command("-s", "result.sla > 0.99", "-x", "result.sla < 0.9", "-f", str(file))
    assert done.stdout.decode().splitlines() == [
        "phase             Inconclusive",
        "successCondition  does not hold: result.sla > 0.99",
        "failureCondition  does not hold: result.sla < 0.9",
        'value             {"sla":0.95}',
    ]
    assert not done.stderr


def test_output_shows_the_place_of_an_error_in_a_condition(eval_command: Eval) -> None:
    done = eval_command("-s", "result > 1 && size(result)", stdin=b"2")
    assert done.returncode == 2
    assert done.stdout.decode().splitlines() == [
        "phase             Error",
        'message           could not evaluate successCondition "result > 1 && size(result)": unknown name size',
        "successCondition  line 1, column 15: unknown name size",
        " | result > 1 && size(result)",
        " | ..............^",
        "value             2",
    ]


def test_missing_file_is_wrong_usage_with_its_path(eval_command: Eval) -> None:
    done = eval_command("-f", "no/such.json")
    assert done.returncode == 2
    assert "no/such.json: No such file or directory" in done.stderr.decode()
    assert not done.stdout


def test_conditions_with_jsonl_are_wrong_usage(eval_command: Eval) -> None:
    done = eval_command("--jsonl", "-s", "true", stdin=b"{}\n")
    assert done.returncode == 2
    assert "reads the conditions from the lines" in done.stderr.decode()


def test_jsonl_writes_an_outcome_for_each_line_and_the_number_of_invalid_lines(eval_command: Eval) -> None:
    lines = [
        b'{"success": "result > 1", "failure": "", "result": 2}',
        b"no json",
        b"",
        b'["a list"]',
        b'{"success": 1, "result": 2}',
        b'{"success": "true"}',
        b'{"success": "true", "result": NaN}',
        b'{"success": "true", "result": 1e400}',
        b'{"success": "true", "result": ' + b"[" * 100_000,
        b"\xff\xfe",
        b'{"result": null, "success": null, "note": "unknown keys are ignored"}',
        b'{"success": "result == \\"\\ud800\\"", "result": "\\ud800"}',
        b'{"success": "' + b" " * 5000 + b'", "result": 1}',
        b'{"failure": "result > 1", "result": 2}',
    ]
    done = eval_command("--jsonl", stdin=b"\n".join(lines))
    assert done.returncode == 0
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome["phase"] for outcome in outcomes] == [
        *["Successful", *["Error"] * 9, "Successful", "Successful", "Error", "Failed"]
    ]
    for number in range(2, 11):
        assert outcomes[number - 1]["message"].startswith(f"line {number}: "), outcomes[number - 1]
    assert all(outcome.keys() == {"phase", "message"} for outcome in outcomes)
    assert "5,000 bytes" in outcomes[12]["message"]


def test_empty_jsonl_input_has_empty_output(eval_command: Eval) -> None:
    done = eval_command("--jsonl")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
