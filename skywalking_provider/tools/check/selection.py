"""What is to be measured: the metrics of templates that read SkyWalking, with their arguments put in. Pure."""

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
    """One metric to be measured.

    Attributes:
        template: Where it stands.
        metric: As the bridge would hand it on.
        provider: Whose block it has: the plugin's name, or "skywalking" for Argo's built-in provider.
        notes: What a person should know.
    """

    template: Template
    metric: Metric
    provider: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedMetric:
    """One metric that is not ours, or was not picked for a reason."""

    template: Template
    metric: str
    reason: str


def select_metrics(
    templates: Sequence[Template], arg_values: Mapping[str, str], metric_names: Sequence[str], plugin: str
) -> tuple[list[MetricToCheck], list[SkippedMetric]]:
    """The questions of templates, in their order, and what is skipped.

    Args:
        templates: As read.
        arg_values: Arguments of the command line.
        metric_names: Names of metrics; none means all.
        plugin: The name that the administrator gave the plugin.

    Raises:
        TemplateError: Everything that is wrong, of all templates.
    """
    questions: list[MetricToCheck] = []
    skipped: list[SkippedMetric] = []
    wrong = _unknown_metric_errors(metric_names, templates)
    for template in templates:
        asked = [metric for metric in template.metrics if not metric_names or metric.get("name") in metric_names]
        if template.references_templates and not metric_names:
            skipped.append(SkippedMetric(template, "spec.templates", "templates that it refers to are not followed"))
        try:
            values = resolve_argument_values(template, arg_values) if asked else {}
        except TemplateError as error:
            wrong += error.lines
            continue
        for metric in asked:
            try:
                one = _resolve_metric(metric, template, values, plugin)
            except TemplateError as error:
                wrong += error.lines
                continue
            (questions if isinstance(one, MetricToCheck) else skipped).append(one)  # type: ignore[arg-type]
    if wrong:
        raise TemplateError(*wrong)
    return questions, skipped


def _resolve_metric(
    metric: Mapping[str, Any], template: Template, values: Mapping[str, str], plugin: str
) -> MetricToCheck | SkippedMetric:
    name = metric.get("name")
    if not isinstance(name, str) or not name:
        raise TemplateError(f"{template.location}: a metric has no name")
    place = f"{template.location}: metric {name}"
    provider = _single_key(metric.get("provider"), f"{place}: provider")
    if provider not in (BUILT_IN_PROVIDER, "plugin"):
        return SkippedMetric(template, name, f"is of the provider {provider}")
    key = (
        provider
        if provider == BUILT_IN_PROVIDER
        else _single_key(metric["provider"][provider], f"{place}: provider.plugin")
    )
    if provider != BUILT_IN_PROVIDER and key != plugin:
        return SkippedMetric(template, name, f"is of the plugin {key}, not of {plugin} (--plugin-name)")
    secrets = frozenset(argument.name for argument in template.arguments if argument.secret)
    try:
        resolved = resolve_arguments(metric, values, secrets, "")
    except TemplateError as error:
        raise TemplateError(*(f"{place}: {line}" for line in error.lines)) from error
    block = (
        resolved["provider"][BUILT_IN_PROVIDER]
        if provider == BUILT_IN_PROVIDER
        else resolved["provider"]["plugin"][key]
    )
    note = f"Argo's built-in provider, measured as ours: `skywalking-provider migrate -f {template.file}` rewrites it"
    return MetricToCheck(
        template,
        Metric(
            name,
            _read_condition(resolved, "success", place),
            _read_condition(resolved, "failure", place),
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
            raise TemplateError(f"{location}: has {' and '.join(map(str, value))}; Argo takes exactly one")
    raise TemplateError(f"{location}: is missing")


def _read_condition(metric: Mapping[str, Any], kind: str, location: str) -> str:
    condition = metric.get(f"{kind}Condition", "")
    if not isinstance(condition, str):
        raise TemplateError(f"{location}: {kind}Condition: is no text; quote it")
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
