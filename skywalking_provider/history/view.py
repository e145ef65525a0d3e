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

from skywalking_provider import __version__
from skywalking_provider.analysis.message import format_window
from skywalking_provider.history.chart import HEIGHT, LABEL_HEIGHT, WIDTH, Chart, build_chart
from skywalking_provider.history.entry import HistoryEntry
from skywalking_provider.history.filter import DEFAULT_LIMIT, HistoryFilter
from skywalking_provider.history.sanitize import replace_unprintable
from skywalking_provider.history.store import History
from skywalking_provider.model import Phase
from skywalking_provider.queries.series import Series
from skywalking_provider.support import formatting

CHUNK_CHARACTERS = 16 * 1024
"""Characters of the page that are rendered at a time, a millisecond or two; more where one chart has more."""
PHASES = (Phase.FAILED, Phase.ERROR, Phase.INCONCLUSIVE, Phase.RUNNING, Phase.SUCCESSFUL)
_MAX_JSON_LINES = 60
_COLUMNS = 96


@dataclass(frozen=True, slots=True)
class RenderedEntry:
    """An entry with what is computed for it."""

    entry: HistoryEntry
    value: str
    requests: tuple[tuple[str, str], ...]

    def chart(self, series: Series) -> Chart:
        """One of its series: each when it is drawn, for one of 500 minutes takes some milliseconds."""
        entry = self.entry
        speaks_of_it = (len(entry.series) == 1 or entry.calls is not None) and not series.name.startswith("calls")
        return build_chart(series, entry.window, entry.success if speaks_of_it else "")


class HistoryView:
    """Renders the page.

    Args:
        backends: The names of the configured backends.
        max_entries: How many measurements are kept.
    """

    def __init__(self, backends: Sequence[str], max_entries: int) -> None:
        environment = Environment(
            loader=PackageLoader("skywalking_provider.history"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "clock": _format_time,
            "date": _format_date,
            "seconds": _format_duration,
            "window": format_window,
        }
        environment.filters |= {
            "render_entry": render_entry,
            "length": len,
            "count": lambda number: f"{number:,}".replace(",", "\N{NO-BREAK SPACE}"),
        }
        environment.globals |= {"WIDTH": WIDTH, "HEIGHT": HEIGHT, "LABEL_HEIGHT": LABEL_HEIGHT, "PHASES": PHASES}
        environment.globals |= {"version": __version__, "backends": sorted(backends), "max_entries": max_entries}
        self._template = environment.get_template("page.html")

    def render(self, history: History, criteria: HistoryFilter, now: datetime) -> Iterator[str]:
        """The page for a filter as it is when its first piece is taken; other work may be done before the next."""
        counts = history.count(criteria)
        found = history.find(criteria, len(history) if criteria.all else DEFAULT_LIMIT)
        matching = sum(number for phase, number in counts.items() if not criteria.phases or phase in criteria.phases)
        texts = self._template.generate(
            entries=found,
            matching=matching,
            entries_total=len(history),
            counts=counts,
            criteria=criteria,
            namespaces=_include_chosen(history.namespaces(), criteria.namespace),
            metrics=_include_chosen(history.metrics(), criteria.metric),
            revision=history.revision,
            now=now,
        )
        piece, size = list[str](), 0
        for text in texts:
            piece.append(text)
            size += len(text)
            if size >= CHUNK_CHARACTERS:
                yield "".join(piece)
                piece, size = [], 0
        yield "".join(piece)


def read_static_file(name: str) -> bytes:
    """A file that belongs to the page."""
    return (resources.files("skywalking_provider.history") / "static" / name).read_bytes()


def render_entry(entry: HistoryEntry) -> RenderedEntry:
    """Everything that is to be seen of one entry."""
    requests = tuple((format_query(one.query), _format_json(one.variables)) for one in entry.requests)
    return RenderedEntry(entry, _format_json(entry.value), requests)


@lru_cache(maxsize=256)
def format_query(text: str) -> str:
    """A query as a person reads it; as it is where it was shortened."""
    try:
        return replace_unprintable("\n".join(formatting.query_lines(text)))
    except GraphQLError:
        return text


def _include_chosen(known: list[str], chosen: str) -> list[str]:
    """What is chosen stays in the list after its last measurement has gone."""
    return known if not chosen or chosen in known else sorted([*known, chosen])


def _format_json(value: str) -> str:
    try:
        lines = formatting.json_lines(json.loads(value), _COLUMNS)
    except ValueError:
        return value
    return replace_unprintable(
        "\n".join(formatting.truncate_lines(lines, _MAX_JSON_LINES, "the AnalysisRun may have all of it"))
    )


def _format_time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%H:%M:%S")


def _format_date(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d")


def _format_duration(seconds: Any) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
