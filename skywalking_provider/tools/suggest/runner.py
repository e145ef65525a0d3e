"""Suggestion for one service: survey, plan, backtests, and the text of the template."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from skywalking_provider.analysis.evaluation import ConditionEvaluator
from skywalking_provider.block import IndicatorName
from skywalking_provider.config import BackendConfig
from skywalking_provider.oap import BackendRegistry
from skywalking_provider.tools.backtest.model import BacktestOptions, ReplayProgress
from skywalking_provider.tools.check.template import parse_templates
from skywalking_provider.tools.suggest import texts
from skywalking_provider.tools.suggest.margins import widen
from skywalking_provider.tools.suggest.model import Form, Plan, SuggestOptions, Survey
from skywalking_provider.tools.suggest.plan import plan_template
from skywalking_provider.tools.suggest.rehearsal import Rehearsal, Rehearser
from skywalking_provider.tools.suggest.rollout_edit import add_background, add_step, build_analysis
from skywalking_provider.tools.suggest.rollout_steps import RolloutSteps, read_rollout
from skywalking_provider.tools.suggest.survey import survey_service
from skywalking_provider.tools.suggest.template_text import (
    background_name,
    choose_name,
    list_arguments,
    write_templates,
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """File of a Rollout.

    Attributes:
        file: Name of the file.
        text: Its text.
    """

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Suggested template.

    Attributes:
        template: The template as YAML.
        advice: What the author should know and do.
        arguments: Names of the template's arguments.
        versions: Hashes of the newest version with calls and of the one before, for trying the template.
        manifest: The Rollout with the analysis; None without a Rollout.
    """

    template: str
    advice: tuple[str, ...]
    arguments: tuple[str, ...]
    versions: tuple[str, ...]
    manifest: str | None


async def suggest_template(
    options: SuggestOptions,
    manifest: Manifest | None,
    backends: BackendRegistry,
    configs: Mapping[str, BackendConfig],
    evaluator: ConditionEvaluator,
    progress: ReplayProgress,
    now: Callable[[], datetime],
) -> Suggestion:
    """Return the suggestion for a service.

    Args:
        options: Options.
        manifest: Manifest of the Rollout; None without one.
        backends: Connected backends of the configuration.
        configs: Their configurations.
        evaluator: Evaluator of conditions.
        progress: Receives the progress.
        now: Clock of this process.

    Raises:
        SuggestError: A template cannot be suggested, or the Rollout has no place for it.
        ProviderError: The service does not exist, or the OAP's response is not valid.
    """
    rollout = read_rollout(manifest.text, manifest.file) if manifest else None
    if rollout and not options.namespace and rollout.namespace:
        options = replace(options, namespace=rollout.namespace)
    at = now()
    survey = await survey_service(options, backends, configs, progress.reads, lambda: at)
    backtest = BacktestOptions(
        options.since,
        namespace=options.namespace,
        plugin=options.plugin,
        max_requests=options.max_requests,
        cache=options.cache,
    )
    rehearser = Rehearser(backends, configs, evaluator, backtest, progress, lambda: at)
    plan, chosen, rehearsal, advice = await _plan_and_rehearse(survey, options, rollout, rehearser)
    if plan.form is Form.COMPARE and rehearsal.splits is None:
        advice.append(texts.describe_few_pods(survey))
    changed = None
    if manifest and rollout:
        changed = _edit(manifest, rollout, plan, options, chosen, advice)
    return Suggestion(
        write_templates(plan, options, rehearsal.comments()),
        tuple(advice),
        list_arguments(plan),
        _choose_versions(survey),
        changed,
    )


async def _plan_and_rehearse(
    survey: Survey, options: SuggestOptions, rollout: RolloutSteps | None, rehearser: Rehearser
) -> tuple[Plan, int, Rehearsal, list[str]]:
    """Return the plan whose A/A runs do not abort, its weight, its backtests and the advice.

    The margins of a metric are widened until its A/A runs pass. If none is wide enough, they are the defaults.
    """
    widths: dict[IndicatorName, int] = {}
    different: dict[IndicatorName, str] = {}
    while True:
        plan, chosen = plan_template(survey, options, rollout, widths)
        weight = rollout.weights[chosen].share if rollout else options.weight
        (template,) = parse_templates(write_templates(plan, replace(options, background=False), {}), "suggestion")
        rehearsal = await rehearser.rehearse(template, plan, survey, weight)
        noisy = {name: one for name, one in rehearsal.noisy.items() if name not in different}
        for name, summary in noisy.items():
            wider = widen(name, widths)
            if wider is None:
                different[name] = texts.describe_different_pods(name, summary.aborts)
            widths[name] = wider or 0
        if not noisy:
            return plan, chosen, rehearsal, [*plan.advice, *different.values()]


def _edit(
    manifest: Manifest, rollout: RolloutSteps, plan: Plan, options: SuggestOptions, chosen: int, advice: list[str]
) -> str:
    """Return the manifest with the analyses that it does not have yet."""
    name, arguments, text = choose_name(options), list_arguments(plan), manifest.text
    if name in rollout.templates:
        advice.append(f"the Rollout uses the template {name} already: its steps are not changed")
    else:
        index = rollout.weights[chosen].index
        text = add_step(text, rollout, index, build_analysis(name, arguments), manifest.file)
    if options.background and rollout.background:
        advice.append(
            f"the Rollout has a background analysis already: add {background_name(name)} to its templates by hand"
        )
    elif options.background:
        text = add_background(text, rollout, build_analysis(background_name(name), arguments), manifest.file)
    return text


def _choose_versions(survey: Survey) -> tuple[str, ...]:
    """Return the hashes of the newest version with calls at the end of the past, and of the one before."""
    current = [one for one in survey.versions if any(one.calls[-_CURRENT_MINUTES:])]
    ordered = sorted(current, key=lambda one: (one.first, -sum(one.calls[-_CURRENT_MINUTES:])), reverse=True)
    return tuple(one.version.pod_template_hash for one in ordered[:2])


_CURRENT_MINUTES = 10
