"""Selection of the metrics to measure: those of templates that read SkyWalking, with arguments replaced. No I/O."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.model import Metric
from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.check.template import Template, TemplateError
from skywalking_provider.tools.check.template_args import resolve_argument_values, resolve_arguments
from skywalking_provider.tools.templates import BUILT_IN_PROVIDER


@dataclass(frozen=True, slots=True)
class MetricToCheck:
    """One metric to measure.

    Attributes:
        template: Template of the metric.
        metric: Metric as the bridge sends it.
        provider: Name of the plugin, or "skywalking" for Argo's built-in provider.
        notes: Notes for the user.
    """

    template: Template
    metric: Metric
    provider: str
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
        requested = [metric for metric in template.metrics if not metric_names or metric.get("name") in metric_names]
        if template.references_templates and not metric_names:
            skipped.append(SkippedMetric(template, "spec.templates", "referenced templates are not read"))
        try:
            values = resolve_argument_values(template, arg_values) if requested else {}
        except TemplateError as error:
            problems += error.lines
            continue
        for metric in requested:
            try:
                one = _resolve_metric(metric, template, values, plugin)
            except TemplateError as error:
                problems += error.lines
                continue
            (selected if isinstance(one, MetricToCheck) else skipped).append(one)  # type: ignore[arg-type]
    if problems:
        raise TemplateError(*problems)
    return selected, skipped


def _resolve_metric(
    metric: Mapping[str, Any], template: Template, values: Mapping[str, str], plugin: str
) -> MetricToCheck | SkippedMetric:
    name = metric.get("name")
    if not isinstance(name, str) or not name:
        raise TemplateError(f"{template.location}: a metric has no name")
    location = f"{template.location}: metric {name}"
    provider = _single_key(metric.get("provider"), f"{location}: provider")
    if provider not in (BUILT_IN_PROVIDER, "plugin"):
        return SkippedMetric(template, name, f"it uses the provider {provider}")
    key = (
        provider
        if provider == BUILT_IN_PROVIDER
        else _single_key(metric["provider"][provider], f"{location}: provider.plugin")
    )
    if provider != BUILT_IN_PROVIDER and key != plugin:
        return SkippedMetric(template, name, f"it uses the plugin {key}, not {plugin} (--plugin-name)")
    secrets = frozenset(argument.name for argument in template.arguments if argument.secret)
    try:
        resolved = resolve_arguments(metric, values, secrets, "")
    except TemplateError as error:
        raise TemplateError(*(f"{location}: {line}" for line in error.lines)) from error
    block = (
        resolved["provider"][BUILT_IN_PROVIDER]
        if provider == BUILT_IN_PROVIDER
        else resolved["provider"]["plugin"][key]
    )
    note = f"block of Argo's built-in provider. `skywalking-provider migrate -f {template.file}` moves it to the plugin"
    return MetricToCheck(
        template,
        Metric(
            name,
            _read_condition(resolved, "success", location),
            _read_condition(resolved, "failure", location),
            _encode_block(block),
        ),
        key,
        (note,) if provider == BUILT_IN_PROVIDER else (),
    )


def _single_key(value: Any, location: str) -> str:
    match value:
        case dict() if len(value) == 1:
            return str(next(iter(value)))
        case dict() if value:
            raise TemplateError(f"{location}: has {' and '.join(map(str, value))}. Argo accepts exactly one")
    raise TemplateError(f"{location}: is missing")


def _read_condition(metric: Mapping[str, Any], kind: str, location: str) -> str:
    condition = metric.get(f"{kind}Condition", "")
    if not isinstance(condition, str):
        raise TemplateError(f"{location}: {kind}Condition: is not text. Quote it")
    return condition


def _encode_block(block: Any) -> bytes:
    return json.dumps(block, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _unknown_metric_errors(metric_names: Sequence[str], templates: Sequence[Template]) -> list[str]:
    names = [str(metric.get("name")) for template in templates for metric in template.metrics]
    return [
        f"--metric {name}: not in any template. {did_you_mean(name, names, 'metrics')}"
        for name in metric_names
        if name not in names
    ]
