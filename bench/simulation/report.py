"""Tables of the simulation as Markdown, for the terminal and for docs/judgement.md."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.simulation.claims import PUBLISHED_SCENARIOS, Outcomes, format_minutes
from bench.simulation.judges import BASELINES, COMPARISON_JUDGE, OURS
from bench.simulation.outcomes import Times
from bench.simulation.runner import Result

_BEGIN, _END = "<!-- simulation: begin -->", "<!-- simulation: end -->"
_FAULTS: Final = ("F1", "F2", "F3", "F4", "F6")
_THIN: Final = ("T12", "T60")
_MAX_WAIT_MINUTES: Final = 15  # the default of maxWait
_JUDGES: Final = (*(one.name for one in BASELINES), *OURS)


def format_tables(results: Sequence[Result], about: dict[str, Any]) -> str:
    """Return all tables."""
    outcomes: Outcomes = {(one.name, judge): outcome for one in results for judge, outcome in one.outcomes.items()}
    titles = {one.name: one.title for one in results}
    versions = ", ".join(f"{name} {about[name]}" for name in ("python", "numpy", "scipy"))
    lines = [
        f"Simulated {about['at']} in {about['cpuSeconds']:.0f} s of CPU time; {versions}.",
        *_table(
            "Aborted healthy rollouts, %",
            ("judge", *(f"{name} {titles[name]}" for name in PUBLISHED_SCENARIOS)),
            [
                (_label(judge), *(format_share(outcomes[name, judge].aborted) for name in PUBLISHED_SCENARIOS))
                for judge in _JUDGES
            ],
        ),
        *_table(
            "Faults: median minutes until Failed (90 % of the rollouts), and share found in 30 minutes",
            ("judge", *(f"{name} {titles[name]}" for name in _FAULTS)),
            [(_label(judge), *(_fault_cell(outcomes[name, judge].aborted) for name in _FAULTS)) for judge in _JUDGES],
        ),
        *_table(
            f"Healthy, thin traffic: median minutes until Successful (90 %), paused after {_MAX_WAIT_MINUTES} minutes",
            ("judge", *(f"{name} {titles[name]}" for name in _THIN)),
            [(_label(judge), *(_thin_cell(_fine(outcomes, name, judge)) for name in _THIN)) for judge in OURS],
        ),
        *_table(
            "Canary at the harmful limit: ever Successful in 60 minutes, %",
            ("judge", *(f"{name[1:]} calls/min" for name in _harmful(outcomes))),
            [
                (_label(judge), *(format_share(_fine(outcomes, name, judge)) for name in _harmful(outcomes)))
                for judge in OURS
            ],
        ),
        *_table(
            "Latency: aborted healthy rollouts, %",
            ("judge", *(f"{name} {titles[name]}" for name in titles if name.startswith("L"))),
            [
                (
                    _label(COMPARISON_JUDGE),
                    *(format_share(outcomes[name, COMPARISON_JUDGE].aborted) for name in titles if name[0] == "L"),
                )
            ],
        ),
    ]
    return "\n".join(lines)


def format_share(times: Times) -> str:
    """Return a share in percent with two standard errors; its limit with 95 % confidence if it is 0 or all."""
    if times.count == 0:
        return f"< {300 / times.runs:.2g}"
    if times.count == times.runs:
        return "100"
    error = 200 * times.standard_error
    digits = 3 if error < 0.03 else 2 if error < 1 else 1
    return f"{100 * times.share:.{digits}f} ± {error:.{digits}f}"


def write_page(tables: str, page: Path) -> None:
    """Replace the tables between the markers of a page."""
    before, begin, rest = page.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise SystemExit(f"simulate: {page} has no tables to replace. Add the markers {_BEGIN} and {_END}.")
    page.write_text(f"{before}{_BEGIN}\n{tables}\n{_END}{after}")


def _harmful(outcomes: Outcomes) -> list[str]:
    return sorted({name for name, _ in outcomes if name.startswith("P")}, key=lambda name: int(name[1:]))


def _fine(outcomes: Outcomes, scenario: str, judge: str) -> Times:
    times = outcomes[scenario, judge].fine
    if times is None:
        raise ValueError(f"simulate: no findings of {judge} in {scenario}. Count them in runner.py.")
    return times


def _label(judge: str) -> str:
    return f"**`{judge}`**" if judge in OURS else judge


def _fault_cell(times: Times) -> str:
    # Judges that abort nearly all rollouts before a late fault leave few to find it in.
    share = "100" if times.count == times.runs else f"{100 * times.share:.1f}"
    return f"{format_minutes(times.median)} ({format_minutes(times.quantile(0.9))}), {share} %"


def _thin_cell(times: Times) -> str:
    minutes = f"{format_minutes(times.median)} ({format_minutes(times.quantile(0.9))})"
    return f"{minutes}, {100 * (1 - times.share_by(_MAX_WAIT_MINUTES)):.1f} %"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from ("", f"**{title}**", "", _row(header), _row(["---"] * len(header)))
    yield from (_row(row) for row in rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
