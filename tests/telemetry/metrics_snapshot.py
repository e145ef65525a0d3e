"""Snapshot of the metrics of a new provider with one backend, `metrics.prom`, which tools/promql reads."""

import re
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import generate_latest

from skywalking_provider.telemetry.metrics import ServiceMetrics


def render_metrics() -> str:
    """Return the exposed metrics without process metrics and with fixed versions."""
    metrics = ServiceMetrics(["prod"], lambda: datetime.now(UTC))
    metrics.observer.clock_skew("prod", 0)  # exists after the first clock request
    lines = generate_latest(metrics.registry).decode().splitlines()
    kept = [line for line in lines if not re.match(r"(# \w+ )?process_", line)]
    return re.sub(r'(python|version)="[^"]*"', r'\1="x"', "\n".join(kept)) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "metrics.prom").write_text(render_metrics())
