"""What is to be measured: the metrics of templates that read SkyWalking, with their arguments put in. Pure."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.check.arguments import resolve, values_of
from skywalking_provider.check.template import Template, TemplateError
from skywalking_provider.model import Metric

BUILT_IN = "skywalking"


@dataclass(frozen=True, slots=True)
class Question:
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
class Skipped:
    """One metric that is not ours, or was not picked for a reason."""

    template: Template
    metric: str
    why: str


def questions_of(
    templates: Sequence[Template], given: Mapping[str, str], picked: Sequence[str], plugin: str
) -> tuple[list[Question], list[Skipped]]:
    """The questions of templates, in their order, and what is skipped.

    Args:
        templates: As read.
        given: Arguments of the command line.
        picked: Names of metrics; none means all.
        plugin: The name that the administrator gave the plugin.

    Raises:
        TemplateError: Everything that is wrong, of all templates.
    """
    questions: list[Question] = []
    skipped: list[Skipped] = []
    wrong = _unknown(picked, templates)
    for template in templates:
        asked = [metric for metric in template.metrics if not picked or metric.get("name") in picked]
        if template.refers and not picked:
            skipped.append(Skipped(template, "spec.templates", "templates that it refers to are not followed"))
        try:
            values = values_of(template, given) if asked else {}
        except TemplateError as error:
            wrong += error.lines
            continue
        for metric in asked:
            try:
                one = _question(metric, template, values, plugin)
            except TemplateError as error:
                wrong += error.lines
                continue
            (questions if isinstance(one, Question) else skipped).append(one)  # type: ignore[arg-type]
    if wrong:
        raise TemplateError(*wrong)
    return questions, skipped


def _question(
    metric: Mapping[str, Any], template: Template, values: Mapping[str, str], plugin: str
) -> Question | Skipped:
    name = metric.get("name")
    if not isinstance(name, str) or not name:
        raise TemplateError(f"{template.place}: a metric has no name")
    place = f"{template.place}: metric {name}"
    provider = _only(metric.get("provider"), f"{place}: provider")
    if provider not in (BUILT_IN, "plugin"):
        return Skipped(template, name, f"is of the provider {provider}")
    key = provider if provider == BUILT_IN else _only(metric["provider"][provider], f"{place}: provider.plugin")
    if provider != BUILT_IN and key != plugin:
        return Skipped(template, name, f"is of the plugin {key}, not of {plugin} (--plugin-name)")
    secrets = frozenset(argument.name for argument in template.arguments if argument.secret)
    try:
        resolved = resolve(metric, values, secrets, "")
    except TemplateError as error:
        raise TemplateError(*(f"{place}: {line}" for line in error.lines)) from error
    block = resolved["provider"][BUILT_IN] if provider == BUILT_IN else resolved["provider"]["plugin"][key]
    note = f"Argo's built-in provider, measured as ours: `skywalking-provider migrate -f {template.file}` rewrites it"
    return Question(
        template,
        Metric(name, _condition(resolved, "success", place), _condition(resolved, "failure", place), _json(block)),
        key,
        (note,) if provider == BUILT_IN else (),
    )


def _only(written: Any, place: str) -> str:
    match written:
        case dict() if len(written) == 1:
            return str(next(iter(written)))
        case dict() if written:
            raise TemplateError(f"{place}: has {' and '.join(map(str, written))}; Argo takes exactly one")
    raise TemplateError(f"{place}: is missing")


def _condition(metric: Mapping[str, Any], kind: str, place: str) -> str:
    condition = metric.get(f"{kind}Condition", "")
    if not isinstance(condition, str):
        raise TemplateError(f"{place}: {kind}Condition: is no text; quote it")
    return condition


def _json(block: Any) -> bytes:
    return json.dumps(block, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _unknown(picked: Sequence[str], templates: Sequence[Template]) -> list[str]:
    names = [str(metric.get("name")) for template in templates for metric in template.metrics]
    lines = []
    for name in picked:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}"
            lines.append(f"--metric {name}: no template has it; {remedy}")
    return lines
