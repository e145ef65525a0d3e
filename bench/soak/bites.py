"""Whether a spell hurt anybody: what is seen of each while it lasts and just after. Pure: the clock is an argument."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

AFTERMATH_SECONDS = 3.0
"""A spell is still blamed for what is seen so long after its end: answers that were on their way, an open circuit."""


@dataclass(frozen=True, slots=True)
class Waited:
    """Somebody was told to wait for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Slowed:
    """A tenth of the answers took at least so many seconds, and longer than in calm."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Replaced:
    """A measurement was lost with this process, or another process stands in its place."""

    process: str


Sign = Waited | Slowed | Replaced
"""What a spell must be seen to do."""


@dataclass(slots=True)
class Stretch:
    """What was seen in one weather.

    Attributes:
        name: Of the spell.
        began: Seconds of the soak.
        until: It is blamed for what is seen before.
        waits: Answers Running, by reason.
        took: Seconds of each Run and Resume.
        lost: Measurements that ended with a process that was killed.
        replaced: Processes in whose place another was seen.
    """

    name: str
    began: float = 0.0
    until: float = math.inf
    waits: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    lost: int = 0
    replaced: Counter[str] = field(default_factory=Counter)

    @property
    def slowest_tenth(self) -> float:
        """Seconds that one answer in ten took at least; 0 where there were none."""
        return statistics.quantiles(self.took, n=10, method="inclusive")[-1] if len(self.took) > 1 else sum(self.took)


class Record:
    """What was seen in each weather, as it comes.

    Args:
        clock: Seconds of the soak.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pids: dict[str, int] = {}
        self.calm = Stretch("calm")
        self.spells: list[Stretch] = []

    @property
    def now(self) -> Stretch:
        """Which weather is blamed for what is seen now."""
        blamed = self.spells and self._clock() < self.spells[-1].until
        return self.spells[-1] if blamed else self.calm

    def begins(self, spell: str) -> None:
        """A spell does."""
        self.spells.append(Stretch(spell, self._clock()))

    def ends(self) -> None:
        """The spell did."""
        self.spells[-1].until = self._clock() + AFTERMATH_SECONDS

    def answer(self, took: float, wait: str | None, *, lost: bool) -> None:
        """Note one to Run or Resume.

        Args:
            took: Seconds.
            wait: The reason, if it is Running.
            lost: Whether the measurement ended with a process that was killed.
        """
        seen = self.now
        seen.took.append(took)
        seen.lost += lost
        if wait is not None:
            seen.waits[wait] += 1

    def process(self, name: str, pid: int) -> None:
        """Note which stands in a place."""
        if self._pids.get(name, pid) != pid:
            self.now.replaced[name] += 1
        self._pids[name] = pid


def misses(sign: Sign, seen: Stretch, calm: Stretch) -> str | None:
    """How a sign is wanting in what was seen of a spell; None if it is there."""
    match sign:
        case Waited(reason):
            return None if seen.waits[reason] else f"of {len(seen.took)} answers none waits with {reason}"
        case Slowed(seconds):
            wanted, took = max(seconds, calm.slowest_tenth), seen.slowest_tenth
            return None if took >= wanted else f"its slowest tenth took {took:.3f} s, not {wanted:.3f} s"
        case Replaced(process):
            gone = seen.lost or seen.replaced[process]
            return None if gone else f"no measurement was lost, and the {process} is the one of before"


def harmless(record: Record, signs: Mapping[str, Sign]) -> Iterator[tuple[Stretch, str]]:
    """The spells that hurt nobody, each with what is wanting.

    Args:
        record: Of a soak that ended.
        signs: By spell.
    """
    for seen in record.spells:
        if missing := misses(signs[seen.name], seen, record.calm):
            yield seen, missing


def rows(record: Record, signs: Mapping[str, Sign]) -> Iterator[dict[str, Any]]:
    """The calm, and each spell with all its times together."""
    unhurt = Counter(seen.name for seen, _ in harmless(record, signs))
    for name in (record.calm.name, *dict.fromkeys(seen.name for seen in record.spells)):
        all_of_it = [seen for seen in (record.calm, *record.spells) if seen.name == name]
        yield _row(name, all_of_it) | {"harmless": unhurt[name]}


def _row(name: str, times: Sequence[Stretch]) -> dict[str, Any]:
    together = Stretch(name, took=[took for seen in times for took in seen.took])
    return {
        "weather": name,
        "times": len(times),
        "answers": len(together.took),
        "waits": dict(sum((seen.waits for seen in times), Counter[str]()).most_common()),
        "lost": sum(seen.lost for seen in times),
        "replaced": dict(sum((seen.replaced for seen in times), Counter[str]())),
        "slowestTenthSeconds": round(together.slowest_tenth, 4),
    }
