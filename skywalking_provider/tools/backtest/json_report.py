"""JSON report of `backtest`. docs/backtest.md lists its keys, which are stable. No I/O."""

from datetime import UTC, datetime, timedelta
from typing import Any

from skywalking_provider.model import Phase
from skywalking_provider.tools.backtest.model import Backtest
from skywalking_provider.tools.backtest.outcome import (
    INTERVAL_CONFIDENCE,
    Look,
    MetricOutcome,
    Rate,
    RunOutcome,
    Summary,
    summarize_metric,
    summarize_runs,
)


def build_backtest_json(backtest: Backtest) -> dict[str, Any]:
    """Build the JSON object of one template. Every key is present; its value is null if it is unknown."""
    template = backtest.template
    return {
        "file": template.file,
        "kind": template.kind,
        "template": template.name,
        "history": {"start": _format_time(backtest.history.start), "end": _format_time(backtest.history.end)},
        "runLength": _minutes(backtest.length),
        "runEvery": _minutes(backtest.every),
        "summary": build_summary_json(summarize_runs(backtest.runs)),
        "metrics": [build_summary_json(summarize_metric(one.name, backtest.runs)) for one in backtest.targets],
        "skipped": [{"metric": one.metric, "reason": one.reason} for one in backtest.skipped],
        "splits": [
            {"version": one.version.pod_template_hash, "canary": list(one.canary), "weight": one.weight}
            for one in backtest.splits
        ],
        "injection": backtest.injection
        and {
            "errors": backtest.injection.errors,
            "latencyFactor": backtest.injection.latency_factor,
            "latencyAdded": backtest.injection.latency_added,
            "seed": backtest.injection.seed,
        },
        "runs": [_build_run_json(one) for one in backtest.runs],
        "notes": list(backtest.notes),
        "requests": backtest.requests,
        "cachedResponses": backtest.cached,
    }


def build_summary_json(summary: Summary) -> dict[str, Any]:
    """Build the JSON object of the outcomes of a metric, or of whole runs."""
    return {
        "metric": summary.name or None,
        "runs": summary.aborts.runs,
        "withoutData": summary.without_data,
        "phases": {str(phase): summary.phases.get(phase, 0) for phase in _PHASES},
        "medianMinutes": {str(phase): summary.minutes.get(phase) for phase in _PHASES},
        "reasons": [
            {"phase": str(phase), "reason": reason, "runs": count}
            for (phase, reason), count in sorted(summary.reasons.items())
        ],
        "aborts": build_rate_json(summary.aborts),
    }


def build_rate_json(rate: Rate) -> dict[str, Any]:
    """Build the JSON object of a share with its interval."""
    interval = rate.interval
    return {
        "events": rate.events,
        "runs": rate.runs,
        "rate": rate.share,
        "low": interval[0] if interval else None,
        "high": interval[1] if interval else None,
        "confidence": INTERVAL_CONFIDENCE,
    }


_PHASES = (Phase.SUCCESSFUL, Phase.FAILED, Phase.INCONCLUSIVE, Phase.ERROR)


def _build_run_json(run: RunOutcome) -> dict[str, Any]:
    deciding = run.deciding
    return {
        "start": _format_time(run.start),
        "arguments": dict(run.arguments),
        "phase": str(run.phase),
        "hasData": run.has_data,
        "decidedBy": deciding.metric if deciding else None,
        "metrics": [_build_metric_json(one, run) for one in run.metrics],
    }


def _build_metric_json(outcome: MetricOutcome, run: RunOutcome) -> dict[str, Any]:
    return {
        "metric": outcome.metric,
        "dryRun": outcome.metric in run.dry_run,
        "phase": str(outcome.phase),
        "endedAt": _format_time(outcome.ended_at),
        "reason": outcome.reason and str(outcome.reason),
        "message": outcome.message,
        "measurements": [_build_look_json(look) for look in outcome.looks],
    }


def _build_look_json(look: Look) -> dict[str, Any]:
    return {
        "at": _format_time(look.at),
        "phase": str(look.phase),
        "reason": look.reason and str(look.reason),
        "value": look.value,
    }


def _minutes(length: timedelta) -> float:
    return length / timedelta(minutes=1)


def _format_time(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds")
