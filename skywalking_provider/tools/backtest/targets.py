"""Metrics of a template to replay, with Argo's rules and the arguments that the history decides. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from skywalking_provider.tools.backtest.argo_rules import MetricRules, read_rules
from skywalking_provider.tools.check.inspection import inspect_template
from skywalking_provider.tools.check.selection import MetricToCheck, SkippedMetric, select_metrics
from skywalking_provider.tools.check.template import Template, TemplateError
from skywalking_provider.tools.check.template_args import select_values

_ARGUMENT: Final = re.compile(r"\s*\{\{\s*args\.([^{}\s]+)\s*\}\}\s*")
_PLACEHOLDERS: Final = ("4444444444", "5555555555")  # hashes as Argo writes them, which no history has


@dataclass(frozen=True, slots=True)
class HashArguments:
    """Arguments of a template that name versions by their pod-template-hash.

    Attributes:
        canary: Names of the arguments that select the canary's instances and have no value.
        stable: The same for stable's instances in `compare`.
    """

    canary: frozenset[str] = frozenset()
    stable: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """All names."""
        return self.canary | self.stable

    def values(self, canary: str, stable: str) -> dict[str, str]:
        """Return the values of the arguments for a pair of versions."""
        return dict.fromkeys(self.stable, stable) | dict.fromkeys(self.canary, canary)


@dataclass(frozen=True, slots=True)
class Target:
    """One metric to replay.

    Attributes:
        check: Metric with its arguments replaced.
        rules: Argo's rules for it.
    """

    check: MetricToCheck
    rules: MetricRules

    @property
    def name(self) -> str:
        """Name of the metric."""
        return self.check.metric.name


def find_hash_arguments(template: Template, arg_values: Mapping[str, str]) -> HashArguments:
    """Return the arguments without a value that select instances by their hash."""
    known = select_values(template, arg_values)
    canary, stable = set[str](), set[str]()
    for block in _iter_blocks(template):
        canary |= _argument_of(block.get("instances"))
        compare = block.get("compare")
        stable |= _argument_of(compare.get("instances")) if isinstance(compare, dict) else set()
    return HashArguments(frozenset(canary - known.keys()), frozenset(stable - known.keys() - canary))


def select_targets(
    template: Template, arg_values: Mapping[str, str], metric_names: Sequence[str], plugin: str
) -> tuple[list[Target], list[SkippedMetric]]:
    """Return the metrics of a template that can be replayed, and those that are skipped.

    Raises:
        TemplateError: All problems of the template.
    """
    targets, skipped = select_metrics([template], arg_values, metric_names, plugin)
    inspected = inspect_template(template, select_values(template, arg_values))
    by_name = {one.argo.name: one.argo for one in inspected.metrics}
    try:
        return [Target(one, read_rules(by_name[one.metric.name])) for one in targets], skipped
    except ValueError as error:
        raise TemplateError(f"{template.location}: a duration of a metric {error}. Shorten it") from error


def with_placeholders(arguments: HashArguments, arg_values: Mapping[str, str]) -> dict[str, str]:
    """Return arguments with placeholders for the versions, to read a template before its versions are known."""
    return {**arg_values, **arguments.values(*_PLACEHOLDERS)}


def _iter_blocks(template: Template) -> Iterator[dict[str, Any]]:
    for metric in template.metrics:
        provider = metric.get("provider")
        plugins = provider.get("plugin") if isinstance(provider, dict) else None
        for block in (plugins or {}).values() if isinstance(plugins, dict) else ():
            if isinstance(block, dict):
                yield block


def _argument_of(instances: Any) -> set[str]:
    """Return the argument that is the hash of a selector of instances; empty without one."""
    written = instances.get("podTemplateHash") if isinstance(instances, dict) else None
    match = _ARGUMENT.fullmatch(written) if isinstance(written, str) else None
    return {match[1]} if match else set()
