"""Metrics whose minutes can be changed: by an A/A split, or by an injected fault. Pure."""

from collections.abc import Sequence

from skywalking_provider.block import IndicatorName, IndicatorSpec, JudgedSpec, Spec, parse_block
from skywalking_provider.tools.backtest.injection import Injection
from skywalking_provider.tools.backtest.targets import Target
from skywalking_provider.tools.check.selection import SkippedMetric


def select_changed_targets(
    targets: Sequence[Target], *, split: bool, injection: Injection | None
) -> tuple[list[Target], list[SkippedMetric]]:
    """Return the metrics that A/A runs or a fault apply to, and the others with the reason.

    Args:
        targets: Metrics of the template.
        split: Whether the runs are A/A runs.
        injection: Fault of the canary; None without one.
    """
    selected, skipped = [], []
    for one in targets:
        if reason := _exclude(parse_block(one.check.metric.block), injection, split=split):
            skipped.append(SkippedMetric(one.check.template, one.name, reason))
        else:
            selected.append(one)
    return selected, skipped


def _exclude(spec: Spec, injection: Injection | None, *, split: bool) -> str:
    if split and (reason := _exclude_from_split(spec)):
        return reason
    if injection is None:
        return ""
    if not isinstance(spec, JudgedSpec | IndicatorSpec):
        return "a fault can be added to an indicator (sli) only"
    if spec.sli is IndicatorName.THROUGHPUT or not injection.affects(latency=spec.sli is IndicatorName.LATENCY):
        return "the fault does not change it"
    return ""


def _exclude_from_split(spec: Spec) -> str:
    if not isinstance(spec, JudgedSpec):
        return "its block is not judged"
    if spec.compare is None:
        return "it has no compare, so that there is nothing to split"
    if spec.percentile or spec.sli is IndicatorName.APDEX:
        return f"the {'percentiles' if spec.percentile else 'scores'} of several pods cannot be merged"
    return ""
