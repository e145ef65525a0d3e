"""Text of the suggested template, in the form of this project's examples, with measured reasons as comments. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from skywalking_provider.support.printable import printable_line
from skywalking_provider.tools.migrate.yaml_editor import format_scalar
from skywalking_provider.tools.suggest.model import Form, Plan, SuggestedMetric, SuggestOptions
from skywalking_provider.tools.suggest.rollout_edit import build_analysis, format_analysis

_WIDTH: Final = 118
_MAX_NAME: Final = 50
"""Characters of a name, so that a suffix and those of Argo's runs fit."""
_BACKGROUND: Final = "-background"
_UNIT: Final = "\0%"
"""Per cent while comments are wrapped, so that a number and its unit stay together."""
_CANARY: Final = '{podTemplateHash: "{{ args.canary-hash }}"}'
_STABLE: Final = '{podTemplateHash: "{{ args.stable-hash }}"}'


def choose_name(options: SuggestOptions) -> str:
    """Return the name of the template: the chosen one, or one that is made of the service's."""
    if options.name:
        return options.name
    return re.sub(r"[^a-z0-9]+", "-", options.service.lower())[:_MAX_NAME].strip("-") or "suggested"


def background_name(name: str) -> str:
    """Return the name of the template for a background analysis."""
    return f"{name}{_BACKGROUND}"


def list_arguments(plan: Plan) -> tuple[str, ...]:
    """Return the names of the template's arguments."""
    if not plan.by_pods:
        return ()
    return ("canary-hash", "stable-hash") if plan.form is Form.COMPARE else ("canary-hash",)


def write_templates(plan: Plan, options: SuggestOptions, rehearsal: Mapping[str, Sequence[str]]) -> str:
    """Return the templates as YAML: one for a step, and on demand one for a background analysis.

    Args:
        plan: What the templates have.
        options: Options.
        rehearsal: Comments from backtests by name of the metric.
    """
    name = choose_name(options)
    usage = [] if options.rollout else _write_usage(name, list_arguments(plan))
    text = "\n".join(
        [*_comment(plan.reasons, ""), *_write(plan, options, name, rehearsal, background=False), *usage, ""]
    )
    if options.background:
        comment = _comment(["For a background analysis: it looks once a minute until the last step has ended."], "")
        text += "\n".join(["---", *comment, *_write(plan, options, background_name(name), {}, background=True), ""])
    return text


def _write(
    plan: Plan, options: SuggestOptions, name: str, rehearsal: Mapping[str, Sequence[str]], *, background: bool
) -> Iterator[str]:
    yield "apiVersion: argoproj.io/v1alpha1"
    yield "kind: AnalysisTemplate"
    yield "metadata:"
    yield f"  name: {format_scalar(name)}"
    if options.namespace:
        yield f"  namespace: {format_scalar(options.namespace)}"
    yield "spec:"
    arguments = list_arguments(plan)
    if arguments:
        yield "  args:"
        width = max(map(len, arguments))
        for one in arguments:
            version = "Latest" if one == "canary-hash" else "Stable"
            yield f"    - name: {one.ljust(width)}  # in the Rollout: valueFrom: {{podTemplateHashValue: {version}}}"
    yield "  metrics:"
    for metric in plan.metrics:
        reasons = () if background else (*metric.reasons, *rehearsal.get(metric.indicator.value, ()))
        yield from _comment(reasons, "    ")
        yield from _write_metric(plan, options, metric, background=background)


def _write_metric(plan: Plan, options: SuggestOptions, metric: SuggestedMetric, *, background: bool) -> Iterator[str]:
    yield f"    - name: {metric.indicator.value}"
    argo = dict(metric.argo)
    if background:
        argo = {"interval": "1m"} | {key: value for key, value in argo.items() if key != "count"}
    for key, value in argo.items():
        yield _entry("      ", key, value, metric.key_reasons)
    yield "      provider:"
    yield "        plugin:"
    yield f"          {format_scalar(options.plugin)}:"
    margin = "            "
    block: dict[str, Any] = {"backend": options.backend} if options.writes_backend else {}
    block |= {"sli": metric.block["sli"], "service": options.service}
    if options.layer:
        block["layer"] = options.layer
    for key, value in block.items():
        yield _entry(margin, key, value, metric.key_reasons)
    if plan.by_pods:
        yield f"{margin}instances: {_CANARY}"
    if plan.form is Form.COMPARE:
        yield f"{margin}compare:"
        yield f"{margin}  instances: {_STABLE}"
        for key, value in metric.block["compare"].items():
            text = ", ".join(f"{name}: {number:g}" for name, number in value.items())
            yield _entry(f"{margin}  ", key, f"{{{text}}}", metric.key_reasons, plain=True)
    for key, value in metric.block.items():
        if key not in ("sli", "compare") and not (background and key == "maxWait"):
            yield _entry(margin, key, value, metric.key_reasons)


def _write_usage(name: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the analysis of a Rollout as comments."""
    yield "# In the Rollout, behind a setWeight:"
    yield "# - analysis:"
    for line in format_analysis(build_analysis(name, arguments), "    "):
        yield f"# {line}"


def _entry(margin: str, key: str, value: Any, reasons: Mapping[str, str], *, plain: bool = False) -> str:
    text = value if plain else format_scalar(value) if isinstance(value, str) else f"{value:g}"
    reason = f"  # {printable_line(reasons[key])}" if key in reasons else ""
    return f"{margin}{key}: {text}{reason}"


def _comment(lines: Sequence[str], margin: str) -> Iterator[str]:
    """Yield comments in lines of a limited width. A line that continues is indented."""
    for line in lines:
        words, current = printable_line(line).replace(" %", _UNIT).split(" "), f"{margin}#"
        for word in words:
            if len(current) + 1 + len(word) > _WIDTH and current.strip() != "#":
                yield current.replace(_UNIT, " %")
                current = f"{margin}#  "
            current += f" {word}"
        yield current.replace(_UNIT, " %")
