"""Burst of judged runs beside a burst of thresholded ones, each on a service with empty caches."""

from typing import Final

from bench.cpu_affinity import cpu_seconds
from bench.processes import LoadSettings
from bench.scenarios import (
    BURST_LOAD,
    SHARED_SERVICES,
    Bench,
    Row,
    wait_for_minute_start,
)

RUNS: Final = 400
"""Fewer than those of the other burst: a judged measurement takes some ten times its CPU time."""
STAGGER_MINUTES: Final = 5
"""Time between the starts of the 8 runs of a service: 60, 55, ... and 25 minutes ago."""

_JUDGED_LOAD: Final[LoadSettings] = BURST_LOAD | {"runs": RUNS, "judged": True}
LOADS: Final[dict[str, LoadSettings]] = {
    "thresholded": BURST_LOAD | {"runs": RUNS},
    "judged, one start": _JUDGED_LOAD,
    "judged, 8 starts": _JUDGED_LOAD | {"staggerMinutes": STAGGER_MINUTES},
}
"""The bursts by their form. Each has as many runs and metrics as the others."""

_BURST_SECONDS: Final = 20  # at most, of a judged burst


def measure_judged_burst(bench: Bench) -> list[Row]:
    """(j) Measure 400 runs at once, thresholded and judged, with empty caches each time. One repetition is enough."""
    rows = []
    for form, load in LOADS.items():
        bench.report_progress(f"judged burst, {form}")
        with bench.start_service() as service, bench.start_callers(service, "provider") as callers:
            bench.oap.configure(services=SHARED_SERVICES)
            # Argo starts the plugin before any measurement, so the requests of its start are not counted.
            callers["provider"].run_load({"workers": 1, "metrics": 0, "runs": 1, "services": 1})
            wait_for_minute_start(_BURST_SECONDS)
            cpu_before = cpu_seconds(service.pid)
            result = callers["provider"].run_load(load)
            used = cpu_seconds(service.pid) - cpu_before
            row = {"form": form, "serviceCpuSeconds": used}
            rows.append(row | result | {"oap": bench.oap.fetch_statistics()})
    return rows
