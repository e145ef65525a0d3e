"""Report of a talk as one HTML page without other files."""

from collections.abc import Iterable, Iterator
from html import escape

from bench.talk.live_view import format_event, format_time
from bench.talk.outcome import VersionOutcome
from bench.talk.record import Record
from bench.talk.timeline_chart import TimelineChart
from bench.talk.ways import PLANS

_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; }
td, th { border-bottom: 1px solid var(--line); padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top; }
pre { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; padding: .8rem; font-size: 12px; }
.ok { color: #2e9d5b; } .bad { color: #c8423b; } .legend { color: #888; font-size: 13px; }
svg { width: 100%; height: auto; }
"""


def render_page(record: Record) -> str:
    """Return the page of a record."""
    return "".join(_page(record))


def _page(record: Record) -> Iterator[str]:
    title = f"The talk, way {record.way}"
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f"<title>{title}</title><style>{_STYLE}</style></head>"
    result = '<span class="bad">not as expected</span>' if record.problems else '<span class="ok">as expected</span>'
    yield f"<body><h1>{title}: {result}</h1><p>Judged by {escape(PLANS[record.way].description)}. Times are UTC.</p>"
    if record.problems:
        yield f'<ul class="bad">{"".join(f"<li>{escape(one)}</li>" for one in record.problems)}</ul>'
    if record.outcomes:
        yield f"<h2>Timeline</h2>{TimelineChart(record).render()}"
        yield (
            '<p class="legend">Line: weight in the VirtualService. '
            "Points: share of the canary in ten seconds of real traffic. "
            "Cells: SkyWalking's minutes with their calls "
            "(green: good, red: success rate below 99 %, yellow: above 500 ms). "
            "Circles: measurements; the mouse shows the message. "
            "Bars of Argo CD: green Synced or Healthy, yellow OutOfSync or Suspended, blue Progressing, "
            "red Degraded.</p>"
        )
    yield "<h2>Versions</h2>"
    yield from _table(
        ("version", "committed", "minutes", "Argo CD", "weights", "reason in Argo CD"), _version_rows(record)
    )
    yield "<h2>Traffic of each step</h2>"
    yield from _table(("version", "weight", "calls", "to the canary", "interval of 99.99 %", ""), _split_rows(record))
    for outcome in record.outcomes:
        yield f"<h2>{escape(outcome.version.name)}: what a user sees</h2>"
        if outcome.canary_text:
            yield "<p><code>kubectl argo rollouts get rollout</code> during the canary</p>"
            yield f"<pre>{escape(outcome.canary_text)}</pre>"
        yield f"<p>The same at the end</p><pre>{escape(outcome.rollout_text)}</pre>"
        yield f"<p><code>argocd app get</code> at the end</p><pre>{escape(outcome.application_text)}</pre>"
    yield "<h2>Figures</h2>"
    memory = [
        (f"memory, {part}", f"{size:,.0f} MiB") for part, size in sorted(record.memory.items(), key=lambda one: -one[1])
    ]
    yield from _table(("figure", "value"), [*record.facts.items(), *memory[:12]])
    events = escape("\n".join(format_event(one) for one in record.events))
    yield f"<h2>Events</h2><pre>{events}</pre></body></html>\n"


def _version_rows(record: Record) -> Iterator[tuple[str, ...]]:
    for outcome in record.outcomes:
        last = outcome.last
        yield (
            f"{outcome.version.name} ({outcome.version.behaviour})",
            f"{format_time(outcome.committed_at)}, {outcome.commit[:7]}",
            f"{(outcome.ended_at - outcome.committed_at) / 60:.1f}",
            last.health,
            f"{100 - last.weight}/{last.weight}",
            last.health_message if last.aborted else "",
        )


def _split_rows(record: Record) -> Iterator[tuple[str, ...]]:
    for outcome in record.outcomes:
        yield from _splits_of(outcome)


def _splits_of(outcome: VersionOutcome) -> Iterator[tuple[str, ...]]:
    for split in (*outcome.splits, outcome.final):
        end = "after the end" if split is outcome.final else ""
        share = f"{split.canary_calls} ({100 * split.share:.1f} %)" if split.calls else "0"
        yield (
            outcome.version.name,
            f"{split.segment.weight} %",
            str(split.calls),
            share,
            f"{split.lowest} to {split.highest}",
            end if split.is_within_interval else f"{end} outside",
        )


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in header)}</tr>"
    for row in rows:
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
    yield "</table>"
