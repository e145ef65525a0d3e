"""Rules of the API server and of Argo Rollouts: keys, types, limits, arguments. No I/O.

The schema and the validation are those of `check`, with Argo's messages.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from skywalking_provider.block.unresolved import HINT as NESTED_HINT
from skywalking_provider.block.unresolved import find_unresolved_argument
from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.check.argo.name_rules import (
    dry_run_rules,
    find_repeated_rule,
    find_unmatched_rules,
    retention_rules,
)
from skywalking_provider.tools.check.argo.schema import find_schema_problems
from skywalking_provider.tools.check.argo.validation import LIMITS, find_metric_errors, is_number
from skywalking_provider.tools.lint.arguments import TAG, Path, iter_texts
from skywalking_provider.tools.lint.findings import Problem, split_hint
from skywalking_provider.tools.lint.objects import ArgoObject, TemplateMetric, read_arguments, rule_names
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.templates import find_helm_markup, helm_hint

_KEYS: Final = ("interval", "initialDelay", *LIMITS, "provider", "name")
_DURATION_HINT: Final = 'Write it in Go\'s notation, such as "90s", "3m" or "24h"'


def find_helm_text(owner: ArgoObject) -> Problem | None:
    """Return the problem of a Helm action inside a text; None for none."""
    for path, text, is_key in iter_texts({"metadata": owner.content.get("metadata"), "spec": owner.spec}):
        if "{{" in text and (markup := find_helm_markup(text)):
            hint = helm_hint("lint").removesuffix(".")
            return Problem(
                Rule.HELM_TEMPLATE, f"{markup} is not an argument of Argo", hint, (*owner.path, *path), is_key
            )
    return None


def find_schema_findings(owner: ArgoObject) -> list[Problem]:
    """Return the differences from the schema of Argo's CRD."""
    problems = []
    for one in find_schema_problems(owner.content, owner.kind):
        message, hint = split_hint(one.message)
        rule = Rule.ARGO_SCHEMA if one.rejected else Rule.ARGO_UNKNOWN_KEY
        unknown = message.startswith("unknown key")
        problems.append(Problem(rule, message, hint or "Add it", (*owner.path, *one.path), at_key=unknown))
    return problems


def find_argo_errors(owner: ArgoObject, metrics: Sequence[TemplateMetric]) -> Iterator[Problem]:
    """Yield what Argo rejects in a template that the API server accepts."""
    spec_path = (*owner.path, "spec")
    references = bool(owner.spec.get("templates"))
    if not metrics and not references:
        yield Problem(Rule.ARGO_INVALID, "no metrics specified", "Add spec.metrics", spec_path, at_key=True)
    for at, error in find_metric_errors([one.argo for one in metrics]):
        key = next((one for one in _KEYS if one in error), "name")
        hint = _DURATION_HINT if "time: " in error else _hint(error)
        yield Problem(Rule.ARGO_INVALID, error, hint, (*metrics[at].path, key))
    yield from _find_contradicting_arguments(owner)
    names = [one.argo.name for one in metrics]
    for rules in (
        dry_run_rules(rule_names(owner, "dryRun")),
        retention_rules(rule_names(owner, "measurementRetention")),
    ):
        if error := find_repeated_rule(rules):
            yield Problem(Rule.ARGO_INVALID, error, "Remove one of them", (*spec_path, rules.key), at_key=True)
        for at, error in () if references else find_unmatched_rules(rules, names):  # their metrics have names, too
            hint = did_you_mean(rules.rules[at], names, "metrics").removesuffix(".")
            yield Problem(Rule.ARGO_INVALID, error, hint, (*spec_path, rules.key, at))


def find_argument_errors(owner: ArgoObject, metrics: Sequence[TemplateMetric]) -> Iterator[Problem]:
    """Yield the arguments that Argo cannot replace."""
    declared = read_arguments(owner).names
    for at, entry in enumerate(_entries(owner)):
        value = entry.get("value") if isinstance(entry, dict) else None
        if isinstance(value, str) and (nested := find_unresolved_argument(value)):
            path = (*owner.path, "spec", "args", at, "value")
            yield Problem(Rule.ARGO_ARGUMENT, f"{nested} stays as it is", NESTED_HINT, path)
    if owner.spec.get("templates"):  # they may declare more
        return
    for metric in metrics:
        for path, text, is_key in metric.texts:
            if "{{" in text:
                yield from _find_in_text(text, declared, path, is_key=is_key)


def find_limit_texts(metric: TemplateMetric) -> Iterator[Problem]:
    """Yield the limits that are texts without a number."""
    for key, value in metric.argo.limits.items():
        if metric.knows(key) and not is_number(value):
            message = f'{key}: "{value}" is not a number. Argo reads it as 0'.replace(". ", ", and ")
            yield Problem(Rule.ARGO_LIMIT_TEXT, message, "Write a whole number", (*metric.path, key))


def _find_in_text(text: str, declared: Sequence[str], path: Path, *, is_key: bool) -> Iterator[Problem]:
    for match in TAG.finditer(text):
        tag = match[1].strip()
        name = tag.removeprefix("args.")
        if not tag.startswith("args."):
            message = f"{match[0][:60]} is not an argument"
            yield Problem(Rule.ARGO_ARGUMENT, message, "Write {{args.name}}", path, is_key)
        elif name not in declared:
            similar = did_you_mean(name, declared, "arguments")
            hint = similar.removesuffix(".") if similar.endswith("?") else "Declare it in spec.args"
            yield Problem(Rule.ARGO_ARGUMENT, f"{match[0][:60]} is not declared", hint, path, is_key)
    if "{{" in TAG.sub("", text):
        yield Problem(Rule.ARGO_ARGUMENT, "an argument is not closed", "Write {{args.name}}", path, is_key)


def _find_contradicting_arguments(owner: ArgoObject) -> Iterator[Problem]:
    values: dict[str, str] = {}
    for at, entry in enumerate(_entries(owner)):
        match entry:
            case {"name": str(name), "value": str(value)} if values.setdefault(name, value) != value:
                message = f"argument {name} has two values"
                yield Problem(Rule.ARGO_INVALID, message, "Keep one of them", (*owner.path, "spec", "args", at))


def _entries(owner: ArgoObject) -> list[Any]:
    entries = owner.spec.get("args")
    return entries if isinstance(entries, list) else []


def _hint(error: str) -> str:
    """Return the next step for an error of Argo."""
    if "duplicate name" in error:
        return "Rename one of the metrics"
    if "interval must be specified" in error:
        return "Add interval"
    if "provider" in error:
        return "Write exactly one provider"
    return "Change the limit or count"
