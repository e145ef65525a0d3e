"""The linter: sources in, findings in the order of the text out."""

import re
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from skywalking_provider.tools.lint.blocks import Block, read_block
from skywalking_provider.tools.lint.findings import Finding, Place, Problem
from skywalking_provider.tools.lint.objects import ArgoObject, TemplateMetric, find_objects, read_metrics
from skywalking_provider.tools.lint.prober import Prober
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.rules.argo import (
    find_argo_errors,
    find_argument_errors,
    find_helm_text,
    find_limit_texts,
    find_schema_findings,
)
from skywalking_provider.tools.lint.rules.backends import Backends, find_backend_problem
from skywalking_provider.tools.lint.rules.blocks import find_block_problems, find_plugin_name_problem
from skywalking_provider.tools.lint.rules.conditions import find_condition_problems, read_conditions
from skywalking_provider.tools.lint.rules.judged import find_judged_problems
from skywalking_provider.tools.lint.rules.limits import find_limit_problems
from skywalking_provider.tools.lint.rules.metrics import find_metric_problems
from skywalking_provider.tools.lint.rules.rollouts import TemplateKey, find_rollout_problems, template_key
from skywalking_provider.tools.lint.rules.thresholds import find_threshold_problems
from skywalking_provider.tools.lint.rules.versions import Version, find_version_problems
from skywalking_provider.tools.lint.sources import SkippedFolder, Source
from skywalking_provider.tools.lint.suppressions import Suppression, apply_suppressions, read_suppressions
from skywalking_provider.tools.lint.yaml_nodes import Document
from skywalking_provider.tools.lint.yaml_tree import ParsedYaml, parse_yaml
from skywalking_provider.tools.templates import find_helm_markup

_MAX_TEXT: Final = 500
_SOURCE: Final = re.compile(r"# Source: (\S+)\s*$")


@dataclass(frozen=True, slots=True)
class LintContext:
    """Facts about the installation for which templates are linted.

    Attributes:
        plugin: Name of the plugin in Argo's configuration.
        backends: Configured backends; None to leave their rule out.
        oap_version: Version of the OAP; None to leave its rule out.
    """

    plugin: str
    backends: Backends | None = None
    oap_version: Version | None = None


@dataclass(slots=True)
class LintReport:
    """The outcome of a run.

    Attributes:
        findings: Findings by file in its order, then by place.
        lines: Lines of each file that has a finding.
        files: Number of texts that were read.
        templates: Number of templates and runs.
        metrics: Number of metrics that read SkyWalking.
        accepted: Number of findings that a comment accepts.
        skipped: Folders of Helm templates that were not entered.
    """

    findings: list[Finding] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)
    files: int = 0
    templates: int = 0
    metrics: int = 0
    accepted: int = 0
    skipped: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _File:
    source: Source
    parsed: ParsedYaml
    suppressions: list[Suppression]
    objects: list[ArgoObject]
    findings: list[Finding]


class Linter:
    """Applies all rules.

    Args:
        prober: Evaluates conditions.
        context: Facts about the installation.
    """

    def __init__(self, prober: Prober, context: LintContext) -> None:
        self._prober = prober
        self._context = context
        self._plugin = context.plugin

    async def lint(self, sources: Iterable[Source | SkippedFolder]) -> LintReport:
        """Return the findings of all sources. Rollouts are compared with the templates of every source."""
        report = LintReport()
        files: list[_File] = []
        for source in sources:
            if isinstance(source, SkippedFolder):
                report.skipped.append(source.name)
                continue
            report.files += 1
            files.append(await self._lint_file(source, report))
        templates = _index_templates(files)
        for file in files:
            for owner in file.objects:
                file.findings += _locate(file.source, owner, "", find_rollout_problems(owner, templates))
            kept, accepted = apply_suppressions(file.findings, file.suppressions, file.source.name)
            report.accepted += accepted
            report.findings += sorted(dict.fromkeys(kept), key=lambda one: (one.place, one.rule, one.message))
            if kept:
                report.lines[file.source.name] = file.source.text.splitlines()
        return report

    async def _lint_file(self, source: Source, report: LintReport) -> _File:
        if source.problem is not None:
            return _File(source, ParsedYaml((), ()), [], [], list(_locate_in_file(source, [source.problem])))
        parsed = parse_yaml(source.text)
        suppressions, problems = read_suppressions(source.text, parsed.documents)
        findings = list(_locate_in_file(source, [*parsed.problems, *problems]))
        objects = [owner for document in parsed.documents for owner in find_objects(document)]
        file = _File(source, parsed, suppressions, objects, findings)
        has_helm_markup = bool(find_helm_markup(source.text))
        for owner in objects:
            if owner.has_metrics:
                report.templates += 1
                if has_helm_markup and (markup := find_helm_text(owner)):
                    file.findings += _locate(source, owner, "", [markup])
                else:
                    file.findings += [one async for one in self._lint_template(source, owner, report)]
        return file

    async def _lint_template(self, source: Source, owner: ArgoObject, report: LintReport) -> AsyncIterator[Finding]:
        schema = find_schema_findings(owner)
        for one in _locate(source, owner, "", schema):
            yield one
        metrics = read_metrics(owner)
        arguments = list(_locate(source, owner, "", find_argument_errors(owner, metrics)))
        for one in arguments:
            yield one
        known = {one.place for one in arguments}  # the block is invalid there for the same reason
        if not any(problem.rule is Rule.ARGO_SCHEMA for problem in schema):
            for one in _locate(source, owner, "", find_argo_errors(owner, metrics)):
                yield one
        for metric in metrics:
            report.metrics += metric.reads_skywalking(self._plugin)
            problems = [problem async for problem in self._lint_metric(metric)]
            for one in _locate(source, owner, metric.subject, problems):
                if one.rule is not Rule.BLOCK_INVALID or one.place not in known:
                    yield one

    async def _lint_metric(self, metric: TemplateMetric) -> AsyncIterator[Problem]:
        for one in find_plugin_name_problem(metric, self._plugin):
            yield one
        if not metric.reads_skywalking(self._plugin):
            return
        block = read_block(metric)
        for one in _find_static(metric, block, self._context):
            yield one
        conditions = [one async for one in find_condition_problems(metric, block, self._prober)]
        for one in conditions:
            yield one
        if not conditions or (block.spec is not None and block.spec.judged):
            async for one in find_threshold_problems(metric, block, self._prober):
                yield one


def _find_static(metric: TemplateMetric, block: Block, context: LintContext) -> Iterator[Problem]:
    """Yield the problems that need no evaluation of conditions."""
    yield from find_limit_texts(metric)
    yield from find_block_problems(metric, block)
    yield from find_backend_problem(metric, block, context.backends)
    yield from find_metric_problems(metric, block)
    yield from find_version_problems(metric, block, context.oap_version)
    yield from find_limit_problems(metric, block)
    yield from find_judged_problems(metric, block, read_conditions(metric, block))


def _index_templates(files: Iterable[_File]) -> Mapping[TemplateKey, list[ArgoObject]]:
    templates: dict[TemplateKey, list[ArgoObject]] = {}
    for file in files:
        for owner in file.objects:
            if owner.has_metrics:
                templates.setdefault(template_key(owner), []).append(owner)
    return templates


def _locate(source: Source, owner: ArgoObject, subject: str, problems: Iterable[Problem]) -> Iterator[Finding]:
    for one in problems:
        place = one.place or owner.document.place(one.path, at_key=one.at_key)
        rendered_from = _find_chart_file(source, owner.document)
        end_column = place.column + one.width if one.width else 0
        if one.place is None:
            end_column = owner.document.end_column(one.path, at_key=one.at_key)
        yield _build_finding(one, source, place, subject or owner.subject, rendered_from, end_column)


def _locate_in_file(source: Source, problems: Iterable[Problem]) -> Iterator[Finding]:
    for one in problems:
        yield _build_finding(one, source, one.place or Place())


def _build_finding(
    problem: Problem, source: Source, place: Place, subject: str = "", chart_file: str = "", end_column: int = 0
) -> Finding:
    texts = (_shorten(problem.message), _shorten(problem.hint), _shorten(subject))
    return Finding(problem.rule, source.name, place, *texts, chart_file, end_column)


def _shorten(text: str) -> str:
    """Return a text of bounded length. It may quote a value of any length."""
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def _find_chart_file(source: Source, document: Document) -> str:
    """Return the chart's file that `helm template` names above a document; empty for none."""
    places = _chart_files(source.text)
    at = bisect_left(places, document.root.place.line, key=lambda one: one[0])
    return places[at - 1][1] if at else ""


@lru_cache(1)
def _chart_files(text: str) -> list[tuple[int, str]]:
    if "# Source: " not in text:
        return []
    return [(number, match[1]) for number, line in enumerate(text.splitlines(), 1) if (match := _SOURCE.match(line))]
