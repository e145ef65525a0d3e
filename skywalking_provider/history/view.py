"""HTML of the history page, from templates that escape all values."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from cachetools import LRUCache, cached
from graphql import GraphQLError
from jinja2 import Environment, PackageLoader, StrictUndefined

from skywalking_provider import __version__
from skywalking_provider.analysis.message import format_window
from skywalking_provider.history.chart import HEIGHT, LABEL_HEIGHT, WIDTH, Chart, build_chart
from skywalking_provider.history.entry import HistoryEntry
from skywalking_provider.history.filter import DEFAULT_LIMIT, HistoryFilter
from skywalking_provider.history.judgement_chart import HEIGHT as LINES_HEIGHT
from skywalking_provider.history.judgement_chart import LineChart, build_evidence_chart, build_value_chart
from skywalking_provider.history.store import History
from skywalking_provider.model import Phase
from skywalking_provider.queries.series import Series
from skywalking_provider.support import formatting
from skywalking_provider.support.printable import replace_unprintable

CHUNK_CHARACTERS = 16 * 1024
"""Characters that are rendered at a time, which takes 1 to 2 ms; a single larger chart is not split."""
PHASES = (Phase.FAILED, Phase.ERROR, Phase.INCONCLUSIVE, Phase.RUNNING, Phase.SUCCESSFUL)
_MAX_JSON_LINES = 60
_COLUMNS = 96
_MAX_CACHE_CHARACTERS = 1024 * 1024  # of formatted queries


@dataclass(frozen=True, slots=True)
class RenderedEntry:
    """An entry with its formatted value and requests."""

    entry: HistoryEntry
    value: str
    requests: tuple[tuple[str, str], ...]

    def chart(self, series: Series) -> Chart:
        """Build the chart of a series. Templates call it when they draw it, as 500 buckets take some milliseconds."""
        entry = self.entry
        condition_applies = (len(entry.series) == 1 or entry.calls is not None) and not series.counts_calls
        return build_chart(series, entry.window, entry.success if condition_applies else "")

    def judgement_charts(self) -> tuple[LineChart, ...]:
        """Build the charts of a judgement: both sides by minute, and the evidence. None without a judgement."""
        view = self.entry.judgement
        return (build_value_chart(view), build_evidence_chart(view)) if view else ()


class HistoryView:
    """Renderer of the history page.

    Args:
        backends: Names of the configured backends.
        max_entries: Maximum number of measurements in the history.
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
        environment.globals |= {"LINES_HEIGHT": LINES_HEIGHT}
        environment.globals |= {"version": __version__, "backends": sorted(backends), "max_entries": max_entries}
        for name in environment.list_templates():
            environment.get_template(name)  # the first request would compile it, and hold up the measurements
        self._template = environment.get_template("page.html")

    def render(self, history: History, criteria: HistoryFilter, now: datetime) -> Iterator[str]:
        """Yield the page in chunks. Its content is fixed when the first chunk is taken."""
        counts = history.count(criteria)
        entries = history.find(criteria, len(history) if criteria.all else DEFAULT_LIMIT)
        matching = sum(number for phase, number in counts.items() if not criteria.phases or phase in criteria.phases)
        texts = self._template.generate(
            entries=entries,
            matching=matching,
            entries_total=len(history),
            counts=counts,
            criteria=criteria,
            namespaces=_include_selected(history.namespaces(), criteria.namespace),
            metrics=_include_selected(history.metrics(), criteria.metric),
            revision=history.revision,
            now=now,
        )
        chunk, size = list[str](), 0
        for text in texts:
            chunk.append(text)
            size += len(text)
            if size >= CHUNK_CHARACTERS:
                yield "".join(chunk)
                chunk, size = [], 0
        yield "".join(chunk)


def read_static_file(name: str) -> bytes:
    """Return the content of a static file of the page."""
    return (resources.files("skywalking_provider.history") / "static" / name).read_bytes()


def render_entry(entry: HistoryEntry) -> RenderedEntry:
    """Format the value and the requests of an entry."""
    requests = tuple((format_query(one.query), _format_json(one.variables)) for one in entry.requests)
    return RenderedEntry(entry, _format_json(entry.value), requests)


@cached(LRUCache(_MAX_CACHE_CHARACTERS, getsizeof=len))
def format_query(text: str) -> str:
    """Return an indented query; a truncated one, which cannot be parsed, is returned unchanged."""
    try:
        return replace_unprintable("\n".join(formatting.query_lines(text)))
    except GraphQLError:
        return text


def _include_selected(known: list[str], selected: str) -> list[str]:
    """Return the options with the selected one, whose last measurement may have been removed."""
    return known if not selected or selected in known else sorted([*known, selected])


def _format_json(value: str) -> str:
    try:
        lines = formatting.json_lines(json.loads(value), _COLUMNS)
    except ValueError:
        return value
    return replace_unprintable(
        "\n".join(formatting.truncate_lines(lines, _MAX_JSON_LINES, "see the AnalysisRun for the full value"))
    )


def _format_time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%H:%M:%S")


def _format_date(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d")


def _format_duration(seconds: Any) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
