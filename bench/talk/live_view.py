"""Live view of a talk in the terminal: the state of each part, SkyWalking's minutes and the latest events."""

import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from bench.talk.events import Event
from bench.talk.record import Record
from bench.talk.traffic_split import Call, WeightSegment, check_split
from bench.talk.ways import PLANS

_LAST_EVENTS = 14
_LAST_MINUTES = 8
_SEEN_SECONDS = 30.0
_STYLES = {"Healthy": "green", "Successful": "green", "Degraded": "red", "Failed": "red", "Suspended": "yellow"}


def format_time(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at))


def format_event(event: Event) -> str:
    """Format an event as a line without markup."""
    return f"{format_time(event.at)}  {event.part:<10}  {event.text}"


def create_live_view(console: Console, render: Callable[[], RenderableType]) -> Live:
    """Return the live view, which renders itself four times a second."""
    return Live(console=console, get_renderable=render, refresh_per_second=4, screen=False, transient=True)


def render_record(record: Record, version: str) -> RenderableType:
    """Render the state of the system.

    Args:
        record: Record of the talk.
        version: Version that was committed last.
    """
    return Group(
        f"[bold]talk, {record.way}:[/] {PLANS[record.way].description}",
        _render_state(record, version),
        _render_minutes(record),
        Panel(
            "\n".join(_style(one) for one in record.events[-_LAST_EVENTS:]), title="events (UTC)", title_align="left"
        ),
    )


def _render_state(record: Record, version: str) -> RenderableType:
    now = record.latest
    table = Table(show_header=False)
    table.add_row("time", f"{(time.time() - record.started_at) / 60:.1f} min")
    table.add_row("Git", f"version {version or '-'}")
    health = now.health or "-"
    state = f"{now.sync} with {now.revision[:7]}, [{_STYLES.get(health, 'default')}]{health}"
    table.add_row("Argo CD", state if now.sync else "no application yet")
    table.add_row("Rollout", f"{now.phase}, steps done: {now.step}" if now.phase else "none yet")
    table.add_row("weight asked", f"{now.weight} % to the canary")
    table.add_row("weight seen", describe_share(record.calls, record.hashes.get(now.canary, ""), time.time()))
    return table


def describe_share(calls: list[Call], version: str, now: float) -> str:
    """Describe the share of a version in the last seconds of traffic."""
    recent: list[Call] = []
    for call in reversed(calls):
        if call.started_at < now - _SEEN_SECONDS - 10:
            break
        recent.append(call)
    split = check_split(WeightSegment(now - _SEEN_SECONDS, now, 50), recent, version)
    if not split.calls:
        return "no calls"
    return f"{100 * split.share:.0f} % of {split.calls} calls went to {version or 'the canary'}"


def _render_minutes(record: Record) -> RenderableType:
    table = Table(
        "minute", "version in SkyWalking", "calls", "success", "mean, ms", title="SkyWalking", title_justify="left"
    )
    for minute in record.minutes[-_LAST_MINUTES:]:
        table.add_row(
            format_time(minute.at)[:5],
            escape(minute.subject),
            str(minute.calls),
            f"{100 * minute.success_rate:.1f} %",
            f"{minute.latency_ms:.0f}",
        )
    return table


def _style(event: Event) -> str:
    text = escape(format_event(event))
    for word, style in _STYLES.items():
        if word in event.text:
            return f"[{style}]{text}[/]"
    return text
