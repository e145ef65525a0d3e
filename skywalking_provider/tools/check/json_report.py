"""JSON report of `check`. docs/check.md lists its keys, which are stable. No I/O."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from skywalking_provider.analysis.cause_view import build_cause_json
from skywalking_provider.analysis.judgement_view import MinuteView
from skywalking_provider.tools.check.chart_rows import ChartRow, build_chart_rows
from skywalking_provider.tools.check.recording import Exchange
from skywalking_provider.tools.check.runner import CheckResult, Condition


def build_check_json(check_result: CheckResult) -> dict[str, Any]:
    """Build the JSON object of one metric. Every key is present; its value is null if it is unknown."""
    template, measurement, window = check_result.target.template, check_result.measurement, check_result.window
    sample = check_result.sample
    return {
        "file": template.file,
        "kind": template.kind,
        "template": template.name,
        "metric": check_result.target.metric.name,
        "provider": check_result.target.provider,
        "phase": str(measurement.phase),
        "reason": check_result.reason and str(check_result.reason),
        "message": measurement.message,
        "value": measurement.value,
        "result": check_result.result,
        "assumedStart": check_result.assumed_start and _format_time(check_result.assumed_start),
        "judgement": _judgement_json(check_result),
        "alarms": _alarms_json(check_result),
        "cause": build_cause_json(cause, with_content=True) if (cause := check_result.event.details.cause) else None,
        "conditions": [_condition_json(one) for one in check_result.conditions],
        "window": window
        and {"start": _format_time(window.start), "end": _format_time(window.end), "buckets": window.buckets},
        "series": [_series_json(row) for row in build_chart_rows(sample, window)],
        "calls": sample.calls if sample else None,
        "backend": {"name": check_result.backend, "url": check_result.url} if check_result.backend else None,
        "requests": [_exchange_json(one) for one in check_result.exchanges],
        "resumeAt": measurement.resume_at and _format_time(measurement.resume_at),
        "elapsedMs": round(check_result.event.seconds * 1000, 1),
        "dryRun": check_result.target.dry_run,
        "notes": list(check_result.notes),
        "exitCode": int(check_result.exit_code),
    }


def _judgement_json(check_result: CheckResult) -> dict[str, Any] | None:
    view = check_result.judgement
    if view is None:
        return None
    return {
        "finding": str(view.finding),
        "explanation": view.explanation,
        "needed": {"worse": view.needed_worse, "fine": view.needed_fine},
        "minutesToFine": check_result.minutes_to_fine,
        "minutes": [_judged_minute_json(one) for one in view.minutes],
    }


def _alarms_json(check_result: CheckResult) -> list[dict[str, Any]] | None:
    if check_result.alarms is None:
        return None
    return [
        {"beganAt": _format_time(one.began_at), "state": str(one.state), "rule": one.rule or None, "text": one.text}
        for one in check_result.alarms
    ]


def _judged_minute_json(minute: MinuteView) -> dict[str, Any]:
    return {
        "time": _format_time(minute.start),
        "canary": minute.canary,
        "stable": minute.stable,
        "tolerated": minute.tolerated,
        "calls": {"canary": minute.canary_calls, "stable": minute.stable_calls},
        "worse": minute.worse,
        "fine": minute.fine,
    }


def _condition_json(condition: Condition) -> dict[str, Any]:
    return {
        "kind": condition.kind,
        "text": condition.text,
        "language": condition.language,
        "holds": condition.holds,
        "error": condition.error or None,
    }


def _series_json(row: ChartRow) -> dict[str, Any]:
    names: Sequence[str | None] = [_format_time(time) for time in row.times] or row.ids or [None] * len(row.buckets)
    key = "time" if row.times else "id"
    buckets = [{key: name, "value": value} for name, value in zip(names, row.buckets, strict=True)]
    return {"name": row.name, "entity": row.entity or None, "buckets": buckets}


def _exchange_json(exchange: Exchange) -> dict[str, Any]:
    return {
        "query": exchange.request.query,
        "variables": dict(exchange.request.variables),
        "response": exchange.data,
        "error": str(exchange.error) if exchange.error else None,
        "elapsedMs": round(exchange.seconds * 1000, 1),
    }


def _format_time(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
