"""Rules about Rollouts and the templates that they use, if both are linted. No I/O.

Argo checks both when the Rollout is applied, and marks it as invalid (pkg/apis/rollouts/validation).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.check.argo.validation import runs_indefinitely
from skywalking_provider.tools.lint.arguments import Path
from skywalking_provider.tools.lint.findings import Problem
from skywalking_provider.tools.lint.objects import (
    CLUSTER_KIND,
    ROLLOUT_KIND,
    ArgoObject,
    TemplateMetric,
    read_arguments,
    read_metrics,
)
from skywalking_provider.tools.lint.registry import Rule

TemplateKey = tuple[str, str]
"""Namespace and name of a template; `*` is the namespace of a ClusterAnalysisTemplate."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysis of a Rollout.

    Attributes:
        path: Path in the document.
        content: Its content.
        waits: Whether the Rollout waits for its end.
    """

    path: Path
    content: Mapping[str, Any]
    waits: bool


def template_key(template: ArgoObject) -> TemplateKey:
    """Return the key of a template."""
    return ("*" if template.kind == CLUSTER_KIND else template.namespace, template.name)


def find_rollout_problems(
    rollout: ArgoObject, templates: Mapping[TemplateKey, Sequence[ArgoObject]]
) -> Iterator[Problem]:
    """Yield the problems of a Rollout beside the templates that are linted, too."""
    if rollout.kind != ROLLOUT_KIND:
        return
    for analysis in _iter_analyses(rollout):
        used, complete = _find_templates(rollout, analysis, templates)
        if analysis.waits:
            yield from _find_endless(analysis, used)
        if used and complete:
            yield from _find_argument_problems(analysis, used)


def _iter_analyses(rollout: ArgoObject) -> Iterator[Analysis]:
    strategy = rollout.spec.get("strategy")
    path = (*rollout.path, "spec", "strategy")
    match strategy:
        case {"canary": dict(canary)}:
            if isinstance(canary.get("analysis"), dict):
                yield Analysis((*path, "canary", "analysis"), canary["analysis"], waits=False)
            steps = canary.get("steps")
            for at, step in enumerate(steps if isinstance(steps, list) else ()):
                if isinstance(step, dict) and isinstance(step.get("analysis"), dict):
                    yield Analysis((*path, "canary", "steps", at, "analysis"), step["analysis"], waits=True)
        case {"blueGreen": dict(blue_green)}:
            for key in ("prePromotionAnalysis", "postPromotionAnalysis"):
                if isinstance(blue_green.get(key), dict):
                    yield Analysis((*path, "blueGreen", key), blue_green[key], waits=True)


def _find_templates(
    rollout: ArgoObject, analysis: Analysis, templates: Mapping[TemplateKey, Sequence[ArgoObject]]
) -> tuple[list[tuple[Path, ArgoObject]], bool]:
    """Return the templates of an analysis that are linted, and whether these are all and use no others."""
    used: list[tuple[Path, ArgoObject]] = []
    complete = True
    entries = analysis.content.get("templates")
    for at, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, dict):
            continue
        namespace = "*" if entry.get("clusterScope") is True else rollout.namespace
        found = templates.get((namespace, str(entry.get("templateName"))), ())
        complete = complete and len(found) == 1 and not found[0].spec.get("templates")
        if len(found) == 1:
            used.append(((*analysis.path, "templates", at, "templateName"), found[0]))
    return used, complete


def _find_endless(analysis: Analysis, used: Sequence[tuple[Path, ArgoObject]]) -> Iterator[Problem]:
    for path, template in used:
        endless = [one for one in read_metrics(template) if _never_ends(one)]
        if endless and not analysis.content.get("count"):
            name = endless[0].argo.name
            message = f"metric {name} of {template.subject} has an interval and no count: Argo rejects it in a step"
            yield Problem(Rule.ROLLOUT_ENDLESS, message, "Set count, or use it as the background analysis", path)


def _never_ends(metric: TemplateMetric) -> bool:
    return metric.knows("count", "interval") and runs_indefinitely(metric.argo)


def _find_argument_problems(analysis: Analysis, used: Sequence[tuple[Path, ArgoObject]]) -> Iterator[Problem]:
    entries = analysis.content.get("args")
    given = {
        str(entry.get("name")): at
        for at, entry in enumerate(entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    }
    declared: dict[str, bool] = {}  # and whether one of the templates sets it
    for _, template in used:
        arguments = read_arguments(template)
        for name in arguments.names:
            declared[name] = declared.get(name, False) or arguments.is_known(name) or _has_source(template, name)
    for name, at in given.items():
        if name not in declared:
            similar = did_you_mean(name, list(declared), "arguments")
            message = f"argument {name} is not declared in the templates, and Argo ignores it"
            hint = similar.removesuffix(".") if similar.endswith("?") else "Declare it in spec.args of the template"
            yield Problem(Rule.ROLLOUT_ARGUMENT, message, hint, (*analysis.path, "args", at, "name"))
    for path, template in used:
        missing = [name for name in read_arguments(template).names if name not in given and not declared[name]]
        if missing:
            message = f"{template.subject} needs {', '.join(missing)}, and the analysis does not set it"
            yield Problem(Rule.ROLLOUT_ARGUMENT, message, "Add it to args of the analysis", path)
            return


def _has_source(template: ArgoObject, name: str) -> bool:
    entries = template.spec.get("args")
    return any(
        isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get("valueFrom"), dict)
        for entry in (entries if isinstance(entries, list) else ())
    )
