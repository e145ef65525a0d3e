"""Selection of the metrics to measure: those of templates that read SkyWalking, with arguments replaced. No I/O."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.model import Metric
from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.check.inspection import InspectedMetric, inspect_template
from skywalking_provider.tools.check.template import Template, TemplateError
from skywalking_provider.tools.check.template_args import find_missing_arguments, resolve_arguments, select_values
from skywalking_provider.tools.templates import BUILT_IN_PROVIDER


@dataclass(frozen=True, slots=True)
class MetricToCheck:
    """One metric to measure.

    Attributes:
        template: Template of the metric.
        metric: Metric as the bridge sends it.
        provider: Name of the plugin, or "skywalking" for Argo's built-in provider.
        dry_run: Whether Argo does not count the metric.
        notes: Notes for the user.
    """

    template: Template
    metric: Metric
    provider: str
    dry_run: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedMetric:
    """One metric that is not measured, with the reason."""

    template: Template
    metric: str
    reason: str


def select_metrics(
    templates: Sequence[Template], arg_values: Mapping[str, str], metric_names: Sequence[str], plugin: str
) -> tuple[list[MetricToCheck], list[SkippedMetric]]:
    """Return the metrics to measure in their order, and those that are skipped.

    Args:
        templates: Parsed templates.
        arg_values: Arguments of the command line.
        metric_names: Names of the metrics to measure; all if empty.
        plugin: Name of the plugin in Argo's configuration.

    Raises:
        TemplateError: All problems of all templates.
    """
    selected: list[MetricToCheck] = []
    skipped: list[SkippedMetric] = []
    problems = _unknown_metric_errors(metric_names, templates)
    for template in templates:
        try:
            for one in _select_from_template(template, arg_values, metric_names, plugin):
                (selected if isinstance(one, MetricToCheck) else skipped).append(one)  # type: ignore[arg-type]
        except TemplateError as error:
            problems += error.lines
    if problems:
        raise TemplateError(*problems)
    return selected, skipped


def _select_from_template(
    template: Template, arg_values: Mapping[str, str], metric_names: Sequence[str], plugin: str
) -> list[MetricToCheck | SkippedMetric]:
    requested = [
        at for at, metric in enumerate(template.metrics) if not metric_names or metric.get("name") in metric_names
    ]
    if metric_names and not requested:
        return []
    values = select_values(template, arg_values)
    inspection = inspect_template(template, values)
    if inspection.problems:
        raise TemplateError(*inspection.problems)
    selected: list[MetricToCheck | SkippedMetric] = []
    if template.references_templates and not metric_names:
        selected.append(SkippedMetric(template, "spec.templates", "referenced templates are not read"))
    own = []
    for at in requested:
        metric, inspected = template.metrics[at], inspection.metrics[at]
        if reason := _skip_reason(inspected.argo.providers[0], metric, plugin):
            selected.append(SkippedMetric(template, inspected.argo.name, reason))
        else:
            own.append((metric, inspected))
    _require_values(template, [metric for metric, _ in own], values)
    problems: list[str] = []
    for metric, inspected in own:
        try:
            selected.append(_resolve_metric(metric, template, values, inspected))
        except TemplateError as error:
            problems += error.lines
    if problems:
        raise TemplateError(*problems)
    return selected


def _skip_reason(provider: str, metric: Mapping[str, Any], plugin: str) -> str:
    """Return why a metric is not measured; empty if it is."""
    is_plugin = provider in (metric["provider"].get("plugin") or {})
    if is_plugin:
        return "" if provider == plugin else f"it uses the plugin {provider}, not {plugin} (--plugin-name)"
    return "" if provider == BUILT_IN_PROVIDER else f"it uses the provider {provider}"


def _require_values(template: Template, metrics: Sequence[Mapping[str, Any]], values: Mapping[str, str]) -> None:
    """Reject missing values of arguments that the metrics use. Other metrics may need more: they are not measured."""
    missing = find_missing_arguments(template, [*metrics], values)
    if not missing:
        return
    flags = " ".join(f"-a {name}=…" for name in missing)
    one = len(missing) == 1
    text = f"{'argument' if one else 'arguments'} without a value: {', '.join(missing)}. Set {'it' if one else 'them'}"
    others = [str(metric["name"]) for metric in metrics if not find_missing_arguments(template, metric, values)]
    rest = f", or measure only {' '.join(f'-m {name}' for name in others)}" if others else ""
    raise TemplateError(f"{template.location}: {text}: {flags}{rest}")


def _resolve_metric(
    metric: Mapping[str, Any], template: Template, values: Mapping[str, str], inspected: InspectedMetric
) -> MetricToCheck:
    location = f"{template.location}: metric {inspected.argo.name}"
    (provider,) = inspected.argo.providers
    secrets = frozenset(argument.name for argument in template.arguments if argument.secret)
    try:
        resolved = resolve_arguments(metric, values, secrets, "")
    except TemplateError as error:
        raise TemplateError(*(f"{location}: {line}" for line in error.lines)) from error
    plugins = resolved["provider"].get("plugin") or {}
    built_in = provider not in plugins
    note = f"block of Argo's built-in provider. `skywalking-provider migrate -f {template.file}` moves it to the plugin"
    return MetricToCheck(
        template,
        Metric(
            inspected.argo.name,
            resolved.get("successCondition") or "",
            resolved.get("failureCondition") or "",
            _encode_block(resolved["provider"][provider] if built_in else plugins[provider]),
        ),
        provider,
        inspected.dry_run,
        ((note,) if built_in else ()) + inspected.notes,
    )


def _encode_block(block: Any) -> bytes:
    return json.dumps(block, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _unknown_metric_errors(metric_names: Sequence[str], templates: Sequence[Template]) -> list[str]:
    names = [str(metric.get("name")) for template in templates for metric in template.metrics]
    return [
        f"--metric {name}: not in any template. {did_you_mean(name, names, 'metrics')}"
        for name in metric_names
        if name not in names
    ]
