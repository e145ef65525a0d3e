"""CSV: its columns, options, errors, and the report for people."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from skywalking_provider.cli import app
from skywalking_provider.tools.evidence import draw_bar
from tests.judgement.golden import LOOKS

Judge = Callable[..., Result]
GOLDEN = {look["name"]: look for look in LOOKS}
WORSE = GOLDEN["5 % and 1 %"]
RATES = "minute,calls,failures,failures_high,stable_calls,stable_failures,stable_failures_high"


def csv_of(header: str, rows: list[list[float]]) -> str:
    return "\n".join([header, *(",".join(map(str, [f"09:{at:02}", *row])) for at, row in enumerate(rows, 18))]) + "\n"


WORSE_CSV = csv_of(RATES, WORSE["minutes"])


@pytest.mark.parametrize(
    ("name", "header", "options"),
    [
        ("five percent errors, four minutes", "minute,calls,failures,failures_high", ["--objective", "0.99"]),
        ("apdex, errors in halves", "minute,calls,failures,failures_high", ["--objective", "0.9", "--sli", "apdex"]),
        ("5 % and 1 %", RATES, []),
        ("5 % and 1 %", RATES, ["--compare", "--confidence", "worse=0.999,fine=0.95"]),
        ("1 % and 1 %", RATES, ["--tolerated", "ratio=1.25,difference=0.001", "--harmful", "{ratio: 3}"]),
        ("stable fails completely: the anchor is limited", RATES, ["--confidence", "0.999"]),
        ("twice as slow", "minute,calls,ms,stable_calls,stable_ms", []),
        ("above the wanted 300 ms", "minute,calls,ms", ["--objective", "300", "--harmful", "600"]),
        ("above the wanted 300 ms", "minute,calls,ms", ["--objective", "300", "--sli", "latency"]),
    ],
)
def test_golden_look_as_csv_has_its_evidence(judge: Judge, name: str, header: str, options: list[str]) -> None:
    look = GOLDEN[name]

    result = judge(*options, "-o", "json", text=csv_of(header, look["minutes"]))

    assert result.exit_code == 0, result.stderr
    outcome = json.loads(result.stdout)
    assert outcome["worse"] == pytest.approx(look["worse"], rel=1e-9, abs=0)
    assert outcome["fine"] == pytest.approx(look["fine"], rel=1e-9, abs=0)
    assert outcome["verdict"] == look["verdict"]


def test_percentile_of_a_latency_is_less_certain_than_its_mean(judge: Judge) -> None:
    text = csv_of("minute,calls,ms", GOLDEN["above the wanted 300 ms"]["minutes"])

    mean, percentile = (
        json.loads(judge("--objective", "300", *options, "-o", "json", text=text).stdout)["worse"]
        for options in ([], ["--percentile", "99"])
    )

    assert percentile < mean


def test_columns_may_be_in_any_order(judge: Judge) -> None:
    reordered = "stable_failures,calls,minute,failures,stable_calls\n" + "".join(
        f"{row[4]},{row[0]},{at},{row[1]},{row[3]}\n" for at, row in enumerate(WORSE["minutes"])
    )

    assert judge("-o", "json", text=reordered).stdout == judge("-o", "json", text=WORSE_CSV).stdout


def test_file_as_argument_option_and_stdin_are_the_same(judge: Judge, tmp_path: Path) -> None:
    file = tmp_path / "minutes.csv"
    file.write_bytes(b"\xef\xbb\xbf" + WORSE_CSV.replace("\n", "\r\n").encode())

    outputs = {judge(str(file)).stdout, judge("-f", str(file)).stdout, judge(text=WORSE_CSV).stdout}

    assert len(outputs) == 1
    assert judge(str(file), "-f", str(file)).exit_code == 2
    missing = judge("no/such.csv")
    assert missing.exit_code == 2
    assert "no/such.csv: No such file or directory" in missing.stderr


def test_report_of_a_worse_canary(judge: Judge) -> None:
    lines = [line.rstrip() for line in judge(text=WORSE_CSV).stdout.splitlines()]

    assert lines == [
        "tolerated   1.25 × stable's rate of failed calls + 0.1 %",
        "harmful     3 × stable's rate of failed calls + 1 %",
        "needed      evidence of 1,000 for worse, 20 for fine",
        "",
        "minute    canary       stable  worse                          fine                       finding",
        "09:18   6 of 120  11 of 1,080   2.37  ██▎                    0.219                       open",
        "09:19   5 of 117  10 of 1,075   9.61  ██████▏               0.0862                       open",
        "09:20   7 of 125   9 of 1,090    133  █████████████▍        0.0222                       open",
        "09:21   6 of 121  12 of 1,066    978  ██████████████████▉   0.0101                       open",
        "09:22   6 of 119  11 of 1,071  9,690  ███████████████████  0.00421                       worse",
        "",
        "✖ worse: the canary is worse than tolerated",
        "  Canary: 30 of 602 calls failed (4.98 %). Stable: 53 of 5,382 calls failed (0.985 %) in the same 5 minutes.",
        "  Tolerated beside this stable 1.33 %, harmful 3.95 %.",
        "  A canary that is no worse than tolerated would be found worse in at most 1 of 1,000 runs.",
        "  A rollout would fail after minute 09:22, at the first look that finds the canary worse.",
    ]


def test_documented_example_has_the_output_of_the_command(judge: Judge) -> None:
    root = Path(__file__).parents[3]

    output = judge(str(root / "examples" / "bookinfo" / "minutes.csv")).stdout

    documented = (root / "docs" / "judge.md").read_text()
    assert "\n".join(line.rstrip() for line in output.splitlines()) in documented


def test_minutes_without_a_pair_are_left_out(judge: Judge) -> None:
    lines = WORSE_CSV.splitlines()
    extra = ["a,0,0,,1000,900,", "b,120,120,,0,0,", "c,,,,1000,900,", "d,120,,,1000,900,"]
    text = "\n".join([*lines[:3], *extra, *lines[3:]])

    assert judge("-o", "json", text=text).stdout == judge("-o", "json", text=WORSE_CSV).stdout
    rows = judge(text=text).stdout.splitlines()
    assert sum(row.rstrip().endswith("left out") for row in rows) == 4


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("minute,calls,failures\n1,96,0\n", ["--objective", "0.99"], "Wait about 1 more minute at this traffic."),
        (
            "minute,calls,failures,stable_calls,stable_failures\n" + "1,12,0,1000,5\n" * 8,
            [],
            "Too few calls: evidence for fine",
        ),
        (
            "minute,calls,failures,stable_calls,stable_failures\n" + "1,120,12,1000,5\n" * 2,
            [],
            "The canary looks worse, but this is not certain yet",
        ),
        (
            "minute,calls,failures,stable_calls,stable_failures\n" + "1,120,30,1000,300\n" * 2,
            [],
            "In the last minute, stable has so many failed calls that nothing should be promoted.",
        ),
        ("minute,calls,failures\n1,100,3\n2,100,3\n", ["--objective", "0.99"], "do not approach either"),
        ("minute,calls,failures\n1,0,0\n", ["--objective", "0.99"], "No minute counts"),
        ("minute,calls,failures\n", ["--objective", "0.99"], "No minute counts"),
        ("minute,calls,failures\n" + "1,200,0\n" * 3, ["--objective", "0.99"], "found fine in at most 1 of 20 runs"),
        (
            "minute,calls,failures,stable_calls,stable_failures\n" + "1,50,50,900,0\n" * 4 + "2,900,0,9000,0\n" * 40,
            [],
            "A rollout would fail after minute 1,",
        ),
    ],
)
def test_verdict_says_what_is_needed(judge: Judge, text: str, options: list[str], sentence: str) -> None:
    result = judge(*options, text=text)

    assert result.exit_code == 0, result.stderr
    assert sentence in result.stdout


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,-5,0,,9,0,", "calls is -5, must be at least 0"),
        ("1,5,6,,9,0,", "failures is 6 of 5 calls"),
        ("1,5,3,2,9,0,", "failures is 3, more than failures_high, which is 2"),
        ("1,5,nan,,9,0,", "failures is 'nan'"),
        ("1,5,1e400,,9,0,", "failures is not a finite number"),
        ("1,5,0.5,,9,0,", "set --sli apdex"),
        ("1,5,0", "has 3 cells, the header 7 columns"),
        ("1,5,0,,9,0,,8", "has 8 cells"),
        ('1,"5,0,,9,0,', "is not CSV"),
        ("1,,4,,9,0,", "calls is empty beside failures 4"),
        ("1,5,,4,9,0,", "failures is empty beside failures_high 4"),
        ("1,5,0,,9,10,", "stable_failures is 10 of 9 calls"),
    ],
)
def test_error_has_its_line_and_other_lines_are_judged(judge: Judge, row: str, message: str) -> None:
    lines = WORSE_CSV.splitlines()

    result = judge(text="\n".join([*lines[:3], row, *lines[3:]]))

    assert result.exit_code == 2
    (error,) = result.stderr.splitlines()
    assert error.startswith("skywalking-provider: line 4: ")
    assert message in error
    assert "9,690" in result.stdout
    assert "Without 1 line with errors." in result.stdout


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "line 1: no line has data"),
        ("hello", "line 1: the header has no known column"),
        ("minute;calls;failures", "line 1: the header has no known column"),
        ("minute,calls,failure", "unknown column 'failure'. Did you mean failures"),
        ("minute,calls,failures,calls", "the column calls is there more than once"),
        ("minute,calls,failures,ms", "Write failures or latencies, not both"),
        ("minute,calls,failures,stable_calls,stable_ms", "Write failures or latencies, not both"),
        ("minute,calls", "the header has no column failures"),
        ("calls,failures", "the header has no column minute"),
        ("minute,calls,failures,stable_failures", "the header has no column stable_calls"),
        ("minute,calls,failures,stable_calls", "the header has no column stable_failures"),
        ("minute,calls,ms,stable_calls", "the header has no column stable_ms"),
    ],
)
def test_invalid_header_is_an_error(judge: Judge, header: str, message: str) -> None:
    result = judge("--objective", "0.99", text=header + "\n")

    assert result.exit_code == 2
    assert message in result.stderr
    assert not result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--objective", "99"], "objective: is 99, must be more than 0.5 and less than 1; write 0.99 for 99 %"),
        (["--objective", "1"], "must be more than 0.5 and less than 1"),
        (["--objective", "nan"], "--objective: is 'nan'"),
        (["--objective", "0.99", "--compare"], "excludes --compare"),
        (["--objective", "0.99", "--harmful", "0.99"], "less than the objective 0.99"),
        (["--objective", "0.99", "--harmful", "0.4"], "at least 0.5"),
        (["--objective", "0.99", "--tolerated", "ratio=2"], "belongs to --compare"),
        (["--tolerated", "ratio=0.5"], "compare.tolerated.ratio: is 0.5, must be at least 1"),
        (["--tolerated", "difference=0.02"], "compare.tolerated.difference: is 0.02, must be at most"),
        (["--tolerated", "ratio=1,difference=0"], "permits no difference"),
        (["--tolerated", "ration=1"], "unknown name ration. Did you mean ratio?"),
        (["--tolerated", "1.25"], "Write ratio=…,difference=…"),
        (["--tolerated", "ratio=3,difference=0.01"], "compare.harmful: is the same as compare.tolerated"),
        (["--harmful", "difference=0.6"], "compare.harmful.difference: is 0.6, must be at most 0.5"),
        (["--confidence", "0.9"], "confidence.worse: is 0.9, must be at least 0.95"),
        (["--confidence", "fine=0.5"], "confidence.fine: is 0.5, must be more than 0.5"),
        (["--sli", "latency"], "latency does not fit the column failures"),
        (["--percentile", "99"], "percentile: belongs to sli: latency"),
    ],
)
def test_invalid_option_is_wrong_usage(judge: Judge, options: list[str], message: str) -> None:
    result = judge(*options, text=WORSE_CSV)

    assert result.exit_code == 2
    assert message in result.stderr
    assert not result.stdout


def test_file_without_stable_needs_an_objective(judge: Judge) -> None:
    result = judge(text="minute,calls,failures\n1,5,0\n")

    assert result.exit_code == 2
    assert "Set --objective, or add the columns" in result.stderr


def test_more_minutes_than_a_promise_covers_are_an_error(judge: Judge) -> None:
    result = judge("--objective", "0.99", text="minute,calls,failures\n" + "1,5,0\n" * 481)

    assert result.exit_code == 2
    assert "line 482: is minute 481, the limit is 480" in result.stderr


@pytest.mark.parametrize(
    ("evidence", "bar"), [(0.0, ""), (1.0, ""), (31.7, "████"), (999.9, "███████▉"), (1000.0, "████████")]
)
def test_bar_is_full_where_evidence_is_enough(evidence: float, bar: str) -> None:
    assert draw_bar(evidence, 1000, 8) == bar


cells = st.sampled_from(["", "0", "1", "5", "120", "-1", "0.5", "1e12", "1e13", "nan", '"', "x", "٣", "\0", "\r", "{"])


@given(
    header=st.sampled_from(
        [RATES, "minute,calls,failures", "minute,calls,ms", "minute,calls,ms,stable_calls,stable_ms"]
    )
    | st.text(max_size=30),
    rows=st.lists(st.lists(cells, min_size=1, max_size=7).map(",".join) | st.text(max_size=20), max_size=5),
    options=st.sampled_from([[], ["--objective", "0.9"], ["--objective", "300"], ["--sli", "apdex"], ["-o", "json"]]),
)
def test_any_text_is_judged_or_an_error(header: str, rows: list[str], options: list[str]) -> None:
    text = "\n".join([header, *rows]).encode("utf-8", "surrogatepass")

    result = CliRunner().invoke(app, ["judge", *options], input=text)

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in {0, 2}
    assert bool(result.stderr) == (result.exit_code == 2)
