"""Timeline of a talk as SVG: commits, weights, SkyWalking's minutes, verdicts and Argo CD's health on one time axis."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from html import escape

from bench.talk.minutes import Minute
from bench.talk.record import Record
from bench.talk.snapshot import Snapshot
from bench.talk.traffic_split import Call

_WIDTH, _LEFT, _RIGHT = 1180, 170, 20
_ROW, _WEIGHT_HEIGHT, _TOP = 26, 130, 34
_BIN_SECONDS = 10.0
_GOOD, _SLOW, _BAD = "#2e9d5b", "#d9a520", "#c8423b"
_COLOURS = {
    "Healthy": "#2e9d5b",
    "Successful": "#2e9d5b",
    "Progressing": "#4a86c5",
    "Running": "#4a86c5",
    "Suspended": "#d9a520",
    "Inconclusive": "#d9a520",
    "Degraded": "#c8423b",
    "Failed": "#c8423b",
    "Error": "#c8423b",
    "Synced": "#2e9d5b",
    "OutOfSync": "#d9a520",
}
_OTHER = "#999"


class TimelineChart:
    """Chart of a record from the first commit of an update to the end."""

    def __init__(self, record: Record) -> None:
        self._record = record
        outcomes = record.outcomes
        self._begins = outcomes[0].committed_at - 30
        self._ends = outcomes[-1].final.segment.ends
        self._y = _TOP

    def render(self) -> str:
        """Return the SVG element."""
        lanes = "".join([*self._weights(), *self._minutes(), *self._verdicts(), *self._bands()])
        axis = "".join(self._axis())
        height = self._y + 24
        commits = "".join(self._commits(height))
        return (
            f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Timeline of the talk" '
            f'font-family="system-ui, sans-serif" font-size="12">{axis}{lanes}{commits}</svg>'
        )

    def _x(self, at: float) -> float:
        share = (at - self._begins) / (self._ends - self._begins)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def _label(self, text: str, y: float) -> str:
        return f'<text x="{_LEFT - 10}" y="{y:.0f}" text-anchor="end" fill="currentColor">{escape(text)}</text>'

    def _axis(self) -> Iterator[str]:
        minute = self._begins - self._begins % 60 + 60
        while minute < self._ends:
            x = self._x(minute)
            if round(minute / 60) % 2 == 0:
                text = time.strftime("%H:%M", time.gmtime(minute))
                yield f'<text x="{x:.1f}" y="{self._y + 16}" text-anchor="middle" fill="#888">{text}</text>'
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{self._y}" stroke="#8883" />'
            minute += 60

    def _commits(self, height: float) -> Iterator[str]:
        for outcome in self._record.outcomes:
            x = self._x(outcome.committed_at)
            name = escape(f"{outcome.version.name} · {outcome.commit[:7]}")
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}" y2="{height - 24}" stroke="currentColor" />'
            yield f'<text x="{x + 4:.1f}" y="{_TOP - 12}" fill="currentColor" font-weight="600">{name}</text>'

    def _weights(self) -> Iterator[str]:
        top, bottom = self._y + 4, self._y + _WEIGHT_HEIGHT - 10

        def y(weight: float) -> float:
            return bottom - weight / 100 * (bottom - top)

        for weight in (0, 50, 100):
            line = f'y1="{y(weight):.1f}" y2="{y(weight):.1f}" stroke="#8884"'
            yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" {line} />'
            yield f'<text x="{_LEFT - 10}" y="{y(weight) + 4:.1f}" text-anchor="end" fill="#888">{weight} %</text>'
        yield self._label("weight, share", y(75))
        yield from self._asked(y)
        yield from self._seen(y)
        self._y += _WEIGHT_HEIGHT

    def _asked(self, y: Callable[[float], float]) -> Iterator[str]:
        points, before = [], 0
        for at, weight in self._record.weights:
            points += [(max(at, self._begins), before), (max(at, self._begins), weight)]
            before = weight
        points.append((self._ends, before))
        path = " ".join(f"{self._x(at):.1f},{y(weight):.1f}" for at, weight in points)
        yield f'<polyline points="{path}" fill="none" stroke="#4a86c5" stroke-width="2" />'

    def _seen(self, y: Callable[[float], float]) -> Iterator[str]:
        for outcome in self._record.outcomes:
            begins = outcome.committed_at
            while begins < outcome.final.segment.ends:
                share = _share(self._record.calls, outcome.version.name, begins)
                if share is not None:
                    at = begins + _BIN_SECONDS / 2
                    yield f'<circle cx="{self._x(at):.1f}" cy="{y(100 * share):.1f}" r="2.4" fill="#d9772f" />'
                begins += _BIN_SECONDS

    def _minutes(self) -> Iterator[str]:
        subjects = list(dict.fromkeys(minute.subject for minute in self._record.minutes))
        for subject in subjects:
            yield self._label(subject.removesuffix(" (reviews.bookinfo)"), self._y + 17)
            yield from (self._cell(minute) for minute in self._record.minutes if minute.subject == subject)
            self._y += _ROW

    def _cell(self, minute: Minute) -> str:
        left, right = max(self._x(minute.at), _LEFT), min(self._x(minute.at + 60), _WIDTH - _RIGHT)
        if right - left < 4:
            return ""
        title = (
            f"{minute.subject}, {time.strftime('%H:%M', time.gmtime(minute.at))}: {minute.calls} calls, "
            f"{100 * minute.success_rate:.1f} % successful, {minute.latency_ms:.0f} ms"
        )
        colour = _BAD if minute.success_rate < 0.99 else _SLOW if minute.latency_ms > 500 else _GOOD
        shape = f'x="{left + 1:.1f}" y="{self._y + 3}" width="{right - left - 2:.1f}" height="{_ROW - 6}" rx="3"'
        place = f'x="{(left + right) / 2:.1f}" y="{self._y + 17}" text-anchor="middle" font-size="10"'
        return (
            f'<g><title>{escape(title)}</title><rect {shape} fill="{colour}" fill-opacity="0.8" />'
            f'<text {place} fill="#fff">{minute.calls}</text></g>'
        )

    def _verdicts(self) -> Iterator[str]:
        measured = [one for outcome in self._record.outcomes for one in outcome.measurements if one.finished_at]
        for metric in dict.fromkeys(one.metric for one in measured):
            yield self._label(f"verdicts: {metric}", self._y + 17)
            for one in measured:
                if one.metric == metric:
                    at = datetime.fromisoformat(one.finished_at).timestamp()
                    title = escape(f"{one.phase}: {one.message or one.value}")
                    colour = _COLOURS.get(one.phase, _OTHER)
                    yield (
                        f'<circle cx="{self._x(at):.1f}" cy="{self._y + 13}" r="6" fill="{colour}">'
                        f"<title>{title}</title></circle>"
                    )
            self._y += _ROW

    def _bands(self) -> Iterator[str]:
        for label, read in (("Argo CD: sync", lambda one: one.sync), ("Argo CD: health", lambda one: one.health)):
            yield self._label(label, self._y + 17)
            yield from self._band(self._record.snapshots, read)
            self._y += _ROW

    def _band(self, snapshots: Sequence[Snapshot], read: Callable[[Snapshot], str]) -> Iterator[str]:
        ends = [*(one.at for one in snapshots[1:]), self._ends]
        for snapshot, end in zip(snapshots, ends, strict=True):
            left, right = max(self._x(snapshot.at), _LEFT), self._x(end)
            if right > left and (value := read(snapshot)):
                colour = _COLOURS.get(value, _OTHER)
                yield (
                    f'<rect x="{left:.1f}" y="{self._y + 5}" width="{right - left:.1f}" height="{_ROW - 10}" '
                    f'fill="{colour}"><title>{escape(value)}</title></rect>'
                )


def _share(calls: Sequence[Call], version: str, begins: float) -> float | None:
    versions = [one.version for one in calls if begins <= one.started_at < begins + _BIN_SECONDS and one.version]
    return versions.count(version) / len(versions) if versions else None
