"""Results of mutation testing: the mutants of a module that survived, and the file with the results of all modules."""

import fcntl
import importlib.metadata
import json
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "bench" / "results" / "mutants.json"


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """A mutant, identified by its change: mutmut's numbers move with the code.

    Attributes:
        function: Function or method, such as `Window.buckets`.
        before: Changed lines of the original, without indentation.
        after: Lines of the mutant.
    """

    function: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Run:
    """Result of the last run of a module.

    Attributes:
        key: Digest of everything that the result depends on.
        seconds: Duration of the run.
        mutants: Number of mutants.
        survivors: Mutants that no test killed, those without a test included.
        stopped: Mutants that a time limit stopped. They count as killed.
    """

    key: str
    seconds: float
    mutants: int
    survivors: tuple[Mutant, ...]
    stopped: tuple[Mutant, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Numbers of mutants. Equivalent ones count neither as killed nor as survived."""

    mutants: int
    killed: int
    survived: int
    equivalent: int
    seconds: float

    @property
    def percentage(self) -> float:
        """Killed mutants of those that are not equivalent."""
        countable = self.killed + self.survived
        return round(100 * self.killed / countable, 1) if countable else 100.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A run with its survivors compared with the equivalent mutants.

    Attributes:
        survivors: Mutants that survived and are not listed as equivalent.
        equivalents: Mutants that survived and are listed.
        stale: Listed mutants that did not survive, or that do not exist.
    """

    run: Run
    survivors: tuple[Mutant, ...]
    equivalents: tuple[Mutant, ...]
    stale: tuple[Mutant, ...]

    @property
    def score(self) -> Score:
        """Numbers of mutants of the module."""
        killed = self.run.mutants - len(self.run.survivors)
        return Score(self.run.mutants, killed, len(self.survivors), len(self.equivalents), self.run.seconds)


def evaluate(run: Run, reasons: Mapping[Mutant, str]) -> Evaluation:
    """Compare the survivors of a run with the equivalent mutants of its module."""
    return Evaluation(
        run,
        tuple(one for one in run.survivors if one not in reasons),
        tuple(one for one in run.survivors if one in reasons),
        tuple(sorted(reasons.keys() - set(run.survivors))),
    )


def total(scores: Iterable[Score]) -> Score:
    """Return the sum of scores."""
    columns = zip(
        *((one.mutants, one.killed, one.survived, one.equivalent, one.seconds) for one in scores), strict=True
    )
    mutants, killed, survived, equivalent, seconds = (sum(column) for column in columns)
    return Score(int(mutants), int(killed), int(survived), int(equivalent), round(seconds, 1))


def load_run(module: str, key: str) -> Run | None:
    """Return the last run of a module; None if it has another key."""
    saved = _load_modules().get(module)
    if saved is None or saved.get("key") != key:
        return None
    survivors = [*saved["survivors"], *saved["equivalents"]]
    return Run(key, saved["seconds"], saved["mutants"], _parse(survivors), _parse(saved["stopped_by_time_limit"]))


def save(module: str, evaluation: Evaluation, reasons: Mapping[Mutant, str], listed: Collection[str]) -> None:
    """Write the result of a module into the file of all.

    Args:
        module: The module.
        evaluation: Its result.
        reasons: Reasons of its equivalent mutants.
        listed: All modules, in order. Results of others leave the file.
    """
    with Path(__file__).open() as lock:  # of several runs at a time
        fcntl.flock(lock, fcntl.LOCK_EX)
        modules = _load_modules()
        modules[module] = (
            {"key": evaluation.run.key}
            | _score_report(evaluation.score)
            | {
                "survivors": [asdict(one) for one in evaluation.survivors],
                "equivalents": [asdict(one) | {"reason": reasons[one]} for one in evaluation.equivalents],
                "stopped_by_time_limit": [asdict(one) for one in evaluation.run.stopped],
            }
        )
        modules = {name: modules[name] for name in listed if name in modules}
        all_modules = total(Score(**{name: one[name] for name in Score.__slots__}) for one in modules.values())
        about = {"python": sys.version.split()[0]} | {
            name: importlib.metadata.version(name) for name in ("mutmut", "hypothesis")
        }
        report = {"about": about, "all": _score_report(all_modules), "modules": modules}
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        temporary = RESULTS.with_suffix(".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(RESULTS)


def _load_modules() -> dict[str, dict]:
    return json.loads(RESULTS.read_text(encoding="utf-8"))["modules"] if RESULTS.exists() else {}


def _score_report(score: Score) -> dict[str, object]:
    return asdict(score) | {"percentage": score.percentage}


def _parse(mutants: Iterable[Mapping[str, str]]) -> tuple[Mutant, ...]:
    return tuple(sorted(Mutant(one["function"], one["before"], one["after"]) for one in mutants))
