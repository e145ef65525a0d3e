"""Rules about metrics with a judged block: what weakens or delays its finding. No I/O."""

import re
from collections.abc import Iterator
from typing import Final

from skywalking_provider.block import JudgedSpec
from skywalking_provider.block.common import MINUTE
from skywalking_provider.support.durations import format_duration
from skywalking_provider.tools.lint.blocks import Block
from skywalking_provider.tools.lint.findings import Problem
from skywalking_provider.tools.lint.objects import TemplateMetric
from skywalking_provider.tools.lint.prober import Conditions
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.rules.limits import read_interval

_READS_FINDING: Final = re.compile(r"\b(?:verdict|evidence)\b")


def find_judged_problems(metric: TemplateMetric, block: Block, conditions: Conditions) -> Iterator[Problem]:
    """Yield the problems of a metric with a judged block; none of another."""
    if not isinstance(block.spec, JudgedSpec):
        return
    interval = read_interval(metric)
    if interval is not None and interval > MINUTE:
        message = f"interval: {format_duration(interval)} finds a fault later, and aborts no fewer healthy canaries"
        yield Problem(Rule.JUDGED_INTERVAL, message, "Set interval to 1m", (*metric.path, "interval"))
    limit = metric.argo.limit("failureLimit")
    if limit > 0 and metric.knows("failureLimit"):
        message = f"failureLimit: {limit} lets a canary go on that is worse with the confidence of the block"
        yield Problem(Rule.JUDGED_LIMIT, message, "Remove failureLimit", (*metric.path, "failureLimit"))
    if conditions.written and not any(map(_READS_FINDING.search, conditions.written)):
        standard = "compare" if block.spec.compare else "objective"
        path = (*metric.block_path, "conditions") if conditions.cel else _condition_path(metric)
        message = f"the condition decides instead of {standard}, and nothing waits for a finding"
        yield Problem(Rule.JUDGED_CONDITION, message, f"Remove it to let {standard} decide", path, at_key=True)


def _condition_path(metric: TemplateMetric) -> tuple[str | int, ...]:
    key = "successCondition" if metric.text("successCondition") else "failureCondition"
    return (*metric.path, key)
