"""Trade-off of a judged metric: its recorded minutes are judged again, with other margins and with faults. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from skywalking_provider.analysis.judging import ContinuingJudge
from skywalking_provider.block import JudgedSpec
from skywalking_provider.block.compare import MAX_DIFFERENCE, MAX_RATIO, Bound, Margin
from skywalking_provider.judgement import Finding
from skywalking_provider.model import Phase
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from skywalking_provider.tools.backtest.argo_rules import MetricProgress, MetricRules
from skywalking_provider.tools.backtest.history import MINUTE
from skywalking_provider.tools.backtest.injection import Injection
from skywalking_provider.tools.backtest.study import MetricStudy, RunMinutes
from skywalking_provider.tools.backtest.trade_off import TradeOff, build_line, describe_minutes

FACTORS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Margins that are tried, as factors of the template's."""
MAX_RUNS: Final = 40
"""Runs that are judged again, for each margin and fault. The share of more runs is hardly more exact."""
_FAULTS: Final = {
    False: tuple(Injection(errors=share) for share in (0.01, 0.02, 0.05)),
    True: tuple(Injection(latency_factor=factor) for factor in (1.5, 2.0, 3.0)),
}
"""Faults by whether a latency is judged."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def study_margin(study: MetricStudy, injection: Injection | None, seed: int = 1) -> TradeOff | None:
    """Return the trade-off of the margin; None for other blocks, without data, and with conditions of its own.

    Args:
        study: The metric.
        injection: Fault that the minutes have already; no other fault is added then.
        seed: Seed of the calls that fail.
    """
    spec, metric = study.spec, study.target.check.metric
    recorded = [one for one in study.minutes if one is not None]
    if not isinstance(spec, JudgedSpec) or metric.success_condition or metric.failure_condition or not recorded:
        return None
    recorded = recorded[:: -(-len(recorded) // MAX_RUNS)]
    specs = [with_margin(spec, factor) for factor in FACTORS]
    faults = () if injection else _FAULTS[spec.judges_latency]
    lines = []
    for fault in (None, *faults):
        runs = [_with_fault(one, fault and replace(fault, seed=seed), spec) for one in recorded]
        ends = [[find_abort(run, changed, study.target.rules, study.settle) for run in runs] for changed in specs]
        lines.append(build_line(describe_minutes(fault or injection), ends))
    labels = tuple(f"{factor:g} ×\n{_describe_margin(one)}" for factor, one in zip(FACTORS, specs, strict=True))
    return TradeOff(study.target.name, "margin, as a factor of the template's", FACTORS, 1.0, tuple(lines), labels)


def with_margin(spec: JudgedSpec, factor: float) -> JudgedSpec:
    """Return a block whose tolerated margin is larger or smaller by a factor. Harmful is never less than tolerated."""
    tolerated, harmful = spec.tolerated, spec.harmful_limit
    if factor == 1:
        return spec
    if spec.compare is None or tolerated is None or harmful is None:
        return _with_objective(spec, factor)
    highest = float("inf") if spec.judges_latency else MAX_DIFFERENCE
    changed = Bound(
        min(highest, factor * tolerated.difference), min(float(MAX_RATIO), 1 + factor * (tolerated.ratio - 1))
    )
    least = Bound(max(harmful.difference, changed.difference), max(harmful.ratio, changed.ratio))
    compare = spec.compare.model_copy(update={"tolerated": _margin_of(changed), "harmful": _margin_of(least)})
    return spec.model_copy(update={"compare": compare})


def _with_objective(spec: JudgedSpec, factor: float) -> JudgedSpec:
    objective, harmful = spec.objective or 0.0, spec.harmful_objective or 0.0
    if spec.judges_latency:
        changed = factor * objective
        return spec.model_copy(update={"objective": changed, "harmful": max(harmful, 1.01 * changed)})
    changed = max(MAX_DIFFERENCE + 0.01, 1 - factor * (1 - objective))
    return spec.model_copy(update={"objective": changed, "harmful": min(harmful, changed - 0.005)})


def _margin_of(bound: Bound) -> Margin:
    return Margin.model_construct(ratio=bound.ratio, difference=bound.difference)


def _describe_margin(spec: JudgedSpec) -> str:
    if spec.tolerated is None:
        return f"{spec.objective:.4g}{' ms' if spec.judges_latency else ''}"
    difference = spec.tolerated.difference
    unit = f"{difference:.3g} ms" if spec.judges_latency else f"{100 * difference:.3g} %"
    return f"{spec.tolerated.ratio:.3g} s + {unit}"


def _with_fault(run: RunMinutes, fault: Injection | None, spec: JudgedSpec) -> RunMinutes:
    if fault is None:
        return run
    canary = {
        at: fault.change(minute, run.window.bucket_start(at).isoformat(), latency=spec.judges_latency)
        for at, minute in run.sides.canary.minutes.items()
    }
    return replace(run, sides=replace(run.sides, canary=replace(run.sides.canary, minutes=canary)))


def find_abort(run: RunMinutes, spec: JudgedSpec, rules: MetricRules, settle: timedelta) -> float | None:
    """Return the minutes from the start of a run until a judged metric fails; None if it does not.

    A measurement waits at most `maxWait` for a finding, as in the service.

    Args:
        run: Minutes of the run.
        spec: Block with the limits.
        rules: Argo's rules for the metric.
        settle: Delay after its end at which a minute is closed.
    """
    findings = list(_find_by_minute(replace(run.sides, spec=spec), run.window.buckets))
    delay = spec.start_delay
    progress, at, end = MetricProgress(rules), rules.initial_delay, delay + len(findings) * MINUTE
    while at <= end:
        wait_end = max(at, delay + MINUTE + settle) + spec.max_wait  # before, no minute can have closed
        while (finding := _read(findings, at - delay - settle)) is Finding.OPEN and at < wait_end:
            at = min(wait_end, (at - settle) // MINUTE * MINUTE + MINUTE + settle)
        if at > end:
            break
        phase = progress.add(_PHASES[finding])
        if phase.completed:
            return at / MINUTE if phase is Phase.FAILED else None
        at = progress.next_at(_EPOCH + at, _PHASES[finding]) - _EPOCH
    return None


_PHASES: Final = {
    Finding.WORSE: Phase.FAILED,
    Finding.FINE: Phase.SUCCESSFUL,
    Finding.OPEN: Phase.INCONCLUSIVE,
}


def _read(findings: Sequence[Finding], closed_time: timedelta) -> Finding:
    """Return the finding of the minutes that are closed."""
    closed = min(len(findings), closed_time // MINUTE)
    return findings[closed - 1] if closed > 0 else Finding.OPEN


def _find_by_minute(sides: Sides, buckets: int) -> Iterator[Finding]:
    """Yield the finding after each minute of a run."""
    judge, finding = ContinuingJudge(), Finding.OPEN
    canary, stable = dict[int, SideMinute](), dict[int, SideMinute]()
    growing = replace(sides, canary=Side(canary), stable=None if sides.stable is None else Side(stable))
    counted = frozenset(sides.counted)
    for at in range(buckets):
        if at in counted:
            canary[at] = sides.canary.minutes[at]
            if sides.stable is not None:
                stable[at] = sides.stable.minutes[at]
            finding = judge(growing).finding
        yield finding
