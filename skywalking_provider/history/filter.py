"""Filter of the history page, and its representation in the address. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from skywalking_provider.history.entry import HistoryEntry
from skywalking_provider.model import Phase
from skywalking_provider.support.printable import printable_line

DEFAULT_LIMIT = 40
"""Number of measurements on the page, unless all are requested."""


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Criteria for measurements; an empty criterion matches every measurement.

    Attributes:
        namespace: Namespace of the run.
        name: Part of the name of the rollout or the run.
        metric: Name of the metric.
        phases: Allowed phases.
        all: Whether more than DEFAULT_LIMIT measurements are shown.
    """

    namespace: str = ""
    name: str = ""
    metric: str = ""
    phases: frozenset[Phase] = frozenset()
    all: bool = False

    @property
    def is_active(self) -> bool:
        """Whether any criterion is set."""
        return bool(self.namespace or self.name or self.metric or self.phases)

    def matches(self, entry: HistoryEntry, *, any_phase: bool = False) -> bool:
        """Whether an entry meets the criteria; `any_phase` ignores the phases."""
        return (
            (not self.namespace or entry.run.namespace == self.namespace)
            and (not self.metric or entry.metric == self.metric)
            and (not self.name or self.name in entry.rollout or self.name in entry.run.name)
            and (any_phase or not self.phases or entry.phase in self.phases)
        )

    def query_string(self, **changes: object) -> str:
        """Return the query string of the page's address for this filter with changes."""
        other = replace(self, **changes)  # type: ignore[arg-type]
        pairs = [("namespace", other.namespace), ("name", other.name), ("metric", other.metric)]
        pairs += [("phase", phase.value) for phase in Phase if phase in other.phases]
        pairs += [("all", "1")] if other.all else []
        return f"?{urlencode([pair for pair in pairs if pair[1]])}"


def parse_filter(query: Mapping[str, str], phases: Sequence[str]) -> HistoryFilter:
    """Return the filter of an address in printable text, as the entries have it; unknown phases are ignored.

    Args:
        query: Query parameters of the address.
        phases: All values of the parameter `phase`.
    """
    known = {phase.value: phase for phase in Phase}
    return HistoryFilter(
        namespace=_read_text(query, "namespace"),
        name=_read_text(query, "name"),
        metric=_read_text(query, "metric"),
        phases=frozenset(known[phase] for phase in phases if phase in known),
        all=query.get("all") == "1",
    )


def _read_text(query: Mapping[str, str], key: str) -> str:
    return printable_line(query.get(key, "")).strip()
