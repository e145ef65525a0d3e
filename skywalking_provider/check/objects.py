"""A checked metric as a program reads it; docs/check.md lists the keys, and they do not change. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from skywalking_provider.check.buckets import Row, rows_of
from skywalking_provider.check.measuring import Checked, Condition
from skywalking_provider.check.outcome import code_of
from skywalking_provider.check.recording import Exchange


def object_of(checked: Checked) -> dict[str, Any]:
    """JSON: every key is always there, null where there is nothing to say."""
    template, measurement, window = checked.question.template, checked.measurement, checked.window
    return {
        "file": template.file,
        "kind": template.kind,
        "template": template.name,
        "metric": checked.question.metric.name,
        "provider": checked.question.provider,
        "phase": str(measurement.phase),
        "reason": checked.reason and str(checked.reason),
        "message": measurement.message,
        "value": measurement.value,
        "result": checked.result,
        "conditions": [_condition(one) for one in checked.conditions],
        "window": window and {"start": _time(window.start), "end": _time(window.end), "buckets": window.buckets},
        "series": [_series(row) for row in rows_of(checked)],
        "calls": checked.answered.sample.calls if checked.answered else None,
        "backend": {"name": checked.backend, "url": checked.url} if checked.backend else None,
        "requests": [_exchange(one) for one in checked.exchanges],
        "resumeAt": measurement.resume_at and _time(measurement.resume_at),
        "elapsedMs": round(checked.seconds * 1000, 1),
        "notes": list(checked.question.notes),
        "exitCode": code_of(checked),
    }


def _condition(one: Condition) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "text": one.text,
        "language": one.language,
        "holds": one.holds,
        "error": one.error or None,
    }


def _series(row: Row) -> dict[str, Any]:
    names: Sequence[str | None] = [_time(time) for time in row.times] or row.ids or [None] * len(row.buckets)
    key = "time" if row.times else "id"
    buckets = [{key: name, "value": value} for name, value in zip(names, row.buckets, strict=True)]
    return {"name": row.name, "entity": row.entity or None, "buckets": buckets}


def _exchange(one: Exchange) -> dict[str, Any]:
    return {
        "query": one.read.query,
        "variables": dict(one.read.variables),
        "answer": one.data,
        "error": str(one.error) if one.error else None,
        "elapsedMs": round(one.seconds * 1000, 1),
    }


def _time(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
