"""The page as HTML: templates that escape everything, and nothing that is not in this package."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from typing import Any

from graphql import GraphQLError
from jinja2 import Environment, PackageLoader, StrictUndefined

from skywalking_provider import __version__, pretty
from skywalking_provider.explain import window_text
from skywalking_provider.model import Phase
from skywalking_provider.page.chart import HEIGHT, ROOM, WIDTH, Chart, chart_of
from skywalking_provider.page.entry import Entry
from skywalking_provider.page.filters import FEW, Filter
from skywalking_provider.page.history import History
from skywalking_provider.page.words import printable
from skywalking_provider.series import Series

PIECE = 16 * 1024
"""Characters of the page that are rendered at a time, a millisecond or two; more where one chart has more."""
PHASES = (Phase.FAILED, Phase.ERROR, Phase.INCONCLUSIVE, Phase.RUNNING, Phase.SUCCESSFUL)
_MAX_JSON_LINES = 60
_COLUMNS = 96


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry with what is computed for it."""

    entry: Entry
    value: str
    requests: tuple[tuple[str, str], ...]

    def chart(self, series: Series) -> Chart:
        """One of its series: each when it is drawn, for one of 500 minutes takes some milliseconds."""
        entry = self.entry
        speaks_of_it = (len(entry.series) == 1 or entry.calls is not None) and not series.name.startswith("calls")
        return chart_of(series, entry.window, entry.success if speaks_of_it else "")


class View:
    """Renders the page.

    Args:
        backends: The names of the configured backends.
        most: How many measurements are kept.
    """

    def __init__(self, backends: Sequence[str], most: int) -> None:
        environment = Environment(
            loader=PackageLoader("skywalking_provider.page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"clock": _clock, "date": _date, "seconds": _seconds, "window": window_text}
        environment.filters |= {
            "shown": shown,
            "length": len,
            "count": lambda number: f"{number:,}".replace(",", "\N{NO-BREAK SPACE}"),
        }
        environment.globals |= {"WIDTH": WIDTH, "HEIGHT": HEIGHT, "ROOM": ROOM, "PHASES": PHASES}
        environment.globals |= {"version": __version__, "backends": sorted(backends), "most": most}
        self._template = environment.get_template("page.html")

    def page(self, history: History, wanted: Filter, now: datetime) -> Iterator[str]:
        """The page for a filter as it is when its first piece is taken; other work may be done before the next."""
        counts = history.count(wanted)
        found = history.find(wanted, len(history) if wanted.all else FEW)
        matching = sum(number for phase, number in counts.items() if not wanted.phases or phase in wanted.phases)
        texts = self._template.generate(
            entries=found,
            matching=matching,
            kept=len(history),
            counts=counts,
            wanted=wanted,
            namespaces=_with(history.namespaces(), wanted.namespace),
            metrics=_with(history.metrics(), wanted.metric),
            revision=history.revision,
            now=now,
        )
        piece, size = list[str](), 0
        for text in texts:
            piece.append(text)
            size += len(text)
            if size >= PIECE:
                yield "".join(piece)
                piece, size = [], 0
        yield "".join(piece)


def static(name: str) -> bytes:
    """A file that belongs to the page."""
    return (resources.files("skywalking_provider.page") / "static" / name).read_bytes()


def shown(entry: Entry) -> Shown:
    """Everything that is to be seen of one entry."""
    requests = tuple((query_text(one.query), _json(one.variables)) for one in entry.requests)
    return Shown(entry, _json(entry.value), requests)


@lru_cache(maxsize=256)
def query_text(text: str) -> str:
    """A query as a person reads it; as it is where it was shortened."""
    try:
        return printable("\n".join(pretty.query_lines(text)))
    except GraphQLError:
        return text


def _with(known: list[str], chosen: str) -> list[str]:
    """What is chosen stays in the list after its last measurement has gone."""
    return known if not chosen or chosen in known else sorted([*known, chosen])


def _json(value: str) -> str:
    try:
        lines = pretty.json_lines(json.loads(value), _COLUMNS)
    except ValueError:
        return value
    return printable("\n".join(pretty.bounded(lines, _MAX_JSON_LINES, "the AnalysisRun may have all of it")))


def _clock(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%H:%M:%S")


def _date(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d")


def _seconds(seconds: Any) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
