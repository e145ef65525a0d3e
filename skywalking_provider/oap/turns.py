"""Whose turn is next: one namespace after the other, each with its own line. Pure."""

from collections import OrderedDict

from skywalking_provider.oap.errand import Errand


class Turns:
    """Errands that wait, in a line for each namespace; the namespaces take turns.

    Every request takes one slot, so that a turn is a request. An errand that several namespaces wait for stands in the
    line of each, and is served with the first of them.
    """

    def __init__(self) -> None:
        # The state: the lines by namespace, the next one's first. A line is never empty.
        self._lines: OrderedDict[str, dict[Errand, None]] = OrderedDict()
        self._waiting: set[Errand] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, errand: object) -> bool:
        return errand in self._waiting

    def add(self, errand: Errand) -> None:
        """Stand at the end of the lines of its namespaces."""
        self._waiting.add(errand)
        for namespace in errand.namespaces:
            self._lines.setdefault(namespace, {})[errand] = None

    def remove(self, errand: Errand) -> None:
        """Leave all lines."""
        self._waiting.discard(errand)
        for namespace in errand.namespaces:
            line = self._lines.get(namespace, {})
            line.pop(errand, None)
            if not line:
                self._lines.pop(namespace, None)

    def next(self) -> Errand | None:
        """The first of the next line leaves, and its namespace goes behind the others."""
        if not self._lines:
            return None
        namespace, line = next(iter(self._lines.items()))
        errand = next(iter(line))
        self._lines.move_to_end(namespace)
        self.remove(errand)
        return errand

    def before(self, namespace: str) -> int:
        """How many are served before one who comes now and stands in that namespace's line.

        At most: a namespace that is before it in the round takes a turn for each of its own.
        """
        own = len(self._lines.get(namespace, ()))
        return own + sum(min(len(line), own + 1) for other, line in self._lines.items() if other != namespace)
