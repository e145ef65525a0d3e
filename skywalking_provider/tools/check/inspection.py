"""Inspection of a whole template before a measurement: what the API server and Argo reject, and what users should know.

No I/O.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.check.argo.durations import find_duration_error
from skywalking_provider.tools.check.argo.name_rules import (
    NameRules,
    dry_run_rules,
    find_repeated_rule,
    find_unmatched_rules,
    retention_rules,
    select_names,
)
from skywalking_provider.tools.check.argo.schema import SchemaProblem, find_schema_problems
from skywalking_provider.tools.check.argo.validation import (
    LIMITS,
    ArgoMetric,
    find_metric_errors,
    is_number,
    read_argo_metric,
    runs_indefinitely,
)
from skywalking_provider.tools.check.judged_advice import JUDGED_KEYS, find_judged_notes
from skywalking_provider.tools.check.template import RUN_KIND, Template
from skywalking_provider.tools.check.template_args import replace_known_arguments

DRY_RUN_NOTE: Final = "dry run: Argo does not count it"
_NO_CONDITION: Final = "no condition: every result is Successful"
_INDEFINITE: Final = (
    "runs indefinitely: it has an interval and no count. Argo accepts that in a background analysis only;"
    " set count for a step, prePromotionAnalysis or postPromotionAnalysis"
)
_VERDICT_KEYS: Final = ("conditions", *JUDGED_KEYS)
"""Keys of a block that decide the phase without a condition of the metric."""
_ANY_DURATION: Final = "1m"
_DURATION_HINT: Final = 'Write it in Go\'s notation, such as "90s", "3m" or "24h"'


@dataclass(frozen=True, slots=True)
class InspectedMetric:
    """A metric of an accepted template.

    Attributes:
        argo: Fields that Argo validates.
        dry_run: Whether Argo does not count the metric.
        notes: Notes for the user.
    """

    argo: ArgoMetric
    dry_run: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """The inspection of one template.

    Attributes:
        problems: Lines about what is rejected; the template must not be measured if there are any.
        metrics: Metrics in the order of the template; empty if there are problems.
    """

    problems: tuple[str, ...] = ()
    metrics: tuple[InspectedMetric, ...] = field(default=())


def inspect_template(template: Template, values: Mapping[str, str]) -> Inspection:
    """Inspect a template, with the known values of its arguments.

    The API server looks at the schema first. Argo then validates what the API server accepts.
    """
    schema = find_schema_problems(template.document, template.kind)
    rejected = tuple(f"{template.location}: {one.message}" for one in schema if one.rejected)
    if rejected:
        return Inspection(rejected)
    metrics = [read_argo_metric(_resolve(metric, template, values)) for metric in template.metrics]
    dry_run = dry_run_rules([str(rule["metricName"]) for rule in template.document["spec"].get("dryRun") or ()])
    if problems := tuple(_find_problems(template, metrics, dry_run)):
        return Inspection(problems)
    uncounted = select_names(dry_run, [one.name for one in metrics])
    return Inspection(
        metrics=tuple(
            InspectedMetric(
                one, one.name in uncounted, tuple(_find_notes(template, at, one, schema, dry_run=one.name in uncounted))
            )
            for at, one in enumerate(metrics)
        )
    )


def _find_problems(template: Template, metrics: list[ArgoMetric], dry_run: NameRules) -> Iterator[str]:
    spec = template.document["spec"]
    retention = retention_rules([str(rule["metricName"]) for rule in spec.get("measurementRetention") or ()])
    rejects = f"{template.location}: Argo rejects it"
    if error := _find_contradicting_argument(template):
        yield f"{rejects}: {error}. Keep one of them"
    for rules in (dry_run, retention):
        if error := find_repeated_rule(rules):
            yield f"{rejects}: {error}. Remove one of them"
    if not metrics and not template.references_templates:
        yield f"{rejects}: no metrics specified. Add spec.metrics"
    for at, error in find_metric_errors(metrics):
        durations = (metrics[at].interval, metrics[at].initial_delay)
        hint = f". {_DURATION_HINT}" if any(text and find_duration_error(text) for text in durations) else ""
        yield f"{template.location}: metric {metrics[at].name}: Argo rejects it: {error}{hint}"
    if template.references_templates:  # their metrics have names, too
        return
    names = [one.name for one in metrics]
    for rules in (dry_run, retention):
        for at, error in find_unmatched_rules(rules, names):
            yield f"{rejects}: {error}. {did_you_mean(rules.rules[at], names, 'metrics')}"


def _find_notes(
    template: Template, at: int, metric: ArgoMetric, schema: list[SchemaProblem], *, dry_run: bool
) -> Iterator[str]:
    if dry_run:
        yield DRY_RUN_NOTE
    if not _has_verdict(template.metrics[at]):
        yield _NO_CONDITION
    if runs_indefinitely(metric) and template.kind != RUN_KIND:
        yield _INDEFINITE
    yield from find_judged_notes(template.metrics[at], metric.interval)
    for key in LIMITS:
        if not is_number(metric.limits.get(key)):
            yield f'{key}: "{metric.limits[key]}" is not a number. Argo reads it as 0'
    metric_path = ("spec", "metrics", at)
    for problem in schema:
        if problem.path[:3] == metric_path or problem.path[:2] != metric_path[:2]:
            yield problem.message


def _has_verdict(metric: Mapping[str, Any]) -> bool:
    """Return whether a metric has a condition of Argo, or its block has one in CEL, is judged or one of alarms."""
    if metric.get("successCondition") or metric.get("failureCondition"):
        return True
    blocks = [block for block in (metric["provider"].get("plugin") or {}).values() if isinstance(block, dict)]
    return any("alarms" in block or any(block.get(key) for key in _VERDICT_KEYS) for block in blocks)


def _find_contradicting_argument(template: Template) -> str:
    """Return Argo's error for an argument that is declared twice with different values; empty for none."""
    values: dict[str, str] = {}
    for argument in template.arguments:
        if argument.value is None:
            continue
        first = values.setdefault(argument.name, argument.value)
        if first != argument.value:
            return (
                f"Argument `{argument.name}` specified multiple times with different values:"
                f" '{first}', '{argument.value}'"
            )
    return ""


def _resolve(metric: Mapping[str, Any], template: Template, values: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields that Argo validates with arguments replaced. A field whose argument has no value is valid."""
    secrets = frozenset(one.name for one in template.arguments if one.secret)
    defaults: dict[str, str] = {"name": str(metric["name"]), "interval": _ANY_DURATION, "initialDelay": _ANY_DURATION}
    resolved = dict(metric)
    for key in ("name", "interval", "initialDelay", *LIMITS):
        text = metric.get(key)
        if isinstance(text, str):
            value = replace_known_arguments(text, values, secrets)
            resolved[key] = defaults.get(key) if value is None else value
    return resolved
