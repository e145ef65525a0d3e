"""Which measurements a visitor asked for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from skywalking_provider.history.entry import HistoryEntry
from skywalking_provider.model import Phase

DEFAULT_LIMIT = 40
"""How many measurements a visitor sees who does not ask for all."""


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """What a measurement must be; empty where anything will do.

    Attributes:
        namespace: Exactly.
        name: A part of the rollout's or the run's name.
        metric: Exactly.
        phases: One of them.
        all: Whether the older ones are wanted too.
    """

    namespace: str = ""
    name: str = ""
    metric: str = ""
    phases: frozenset[Phase] = frozenset()
    all: bool = False

    @property
    def is_active(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.namespace or self.name or self.metric or self.phases)

    def matches(self, entry: HistoryEntry, *, any_phase: bool = False) -> bool:
        """Whether a measurement is one of those."""
        return (
            (not self.namespace or entry.run.namespace == self.namespace)
            and (not self.metric or entry.metric == self.metric)
            and (not self.name or self.name in entry.rollout or self.name in entry.run.name)
            and (any_phase or not self.phases or entry.phase in self.phases)
        )

    def query_string(self, **changes: object) -> str:
        """The query part of the page's address for this filter, with changes."""
        other = replace(self, **changes)  # type: ignore[arg-type]
        pairs = [("namespace", other.namespace), ("name", other.name), ("metric", other.metric)]
        pairs += [("phase", phase.value) for phase in Phase if phase in other.phases]
        pairs += [("all", "1")] if other.all else []
        return f"?{urlencode([pair for pair in pairs if pair[1]])}"


def parse_filter(query: Mapping[str, str], phases: Sequence[str]) -> HistoryFilter:
    """The filter of an address; what is no phase is left out.

    Args:
        query: The query part of the address.
        phases: All values of `phase` in it.
    """
    known = {phase.value: phase for phase in Phase}
    return HistoryFilter(
        namespace=query.get("namespace", "").strip(),
        name=query.get("name", "").strip(),
        metric=query.get("metric", "").strip(),
        phases=frozenset(known[phase] for phase in phases if phase in known),
        all=query.get("all") == "1",
    )
