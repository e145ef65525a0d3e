"""Decisions about the suggested template: the form of its metrics, their limits, and the waits. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skywalking_provider.block import IndicatorName, JudgedSpec, parse_block
from skywalking_provider.tools.suggest import texts
from skywalking_provider.tools.suggest.limits import place_objective, place_threshold
from skywalking_provider.tools.suggest.margins import Widths, margins_at
from skywalking_provider.tools.suggest.model import Form, Plan, SuggestedMetric, SuggestError, SuggestOptions, Survey
from skywalking_provider.tools.suggest.rollout_steps import RolloutSteps
from skywalking_provider.tools.suggest.traffic import Traffic, measure_indicator, measure_traffic
from skywalking_provider.tools.suggest.weights import (
    DEFAULT_WAIT,
    WeightTimes,
    choose_wait,
    choose_weight,
    estimate_weights,
)

_WEIGHTS = (5.0, 10.0, 20.0, 50.0)
"""Weights whose times are shown without a Rollout, beside the chosen one."""
_LOOKS = 5
"""Measurements of a threshold in a step."""


def plan_template(
    survey: Survey, options: SuggestOptions, rollout: RolloutSteps | None, widths: Widths
) -> tuple[Plan, int]:
    """Return the plan of a template, and the position of the chosen weight among those of the Rollout.

    Args:
        survey: Past of the service.
        options: Options.
        rollout: Steps of the Rollout; None without one.
        widths: How often the margins of indicators were widened.

    Raises:
        SuggestError: The service fails too often for any limit.
    """
    by_pods = bool(survey.versions)
    form = Form.THRESHOLD if options.thresholds else Form.COMPARE if by_pods else Form.OBJECTIVE
    traffic = measure_traffic(survey)
    weights = [one.share for one in rollout.weights] if rollout else sorted({*_WEIGHTS, options.weight})
    reasons = texts.describe_survey(survey, traffic)
    advice = [*texts.describe_gaps(survey, by_pods=by_pods)]
    if form is Form.THRESHOLD:
        chosen = 0 if rollout else weights.index(options.weight)
        metrics = list(_plan_thresholds(survey, traffic, weights[chosen] if by_pods else 100, advice))
    else:
        specs = dict(_build_specs(survey, form, widths, advice))
        times = estimate_weights(
            [one[1] for one in specs.values()], survey, weights if by_pods else [100.0] * len(weights)
        )
        chosen = choose_weight(times) if rollout else weights.index(options.weight)
        metrics = [
            _plan_judged(survey, form, name, block, times, chosen, by_pods=by_pods)
            for name, (block, _) in specs.items()
        ]
        if by_pods:
            advice += texts.describe_waits(survey, traffic, times[chosen], [one[1] for one in specs.values()])
        if rollout:
            advice += texts.describe_rollout(rollout, traffic, times, chosen)
    if not metrics:
        raise SuggestError(
            f"--service: {survey.service!r} fails too often for a limit: {'; '.join(advice)}. Repair the service first"
        )
    return Plan(form, by_pods, tuple(metrics), tuple(reasons), tuple(advice)), chosen


def _build_specs(
    survey: Survey, form: Form, widths: Widths, advice: list[str]
) -> Iterator[tuple[IndicatorName, tuple[dict[str, Any], JudgedSpec]]]:
    for name in survey.minutes:
        block: dict[str, Any] = {"sli": name.value}
        if form is Form.COMPARE:
            margins = margins_at(name, widths)
            block["compare"] = margins.to_block() if margins else {}
            selected = {
                "instances": {"podTemplateHash": "4444444444"},
                "compare": {"instances": {"podTemplateHash": "5555555555"}, **block["compare"]},
            }
        else:
            objective = place_objective(survey, name)
            if objective is None:
                advice.append(texts.describe_no_limit(name, measure_indicator(survey, name)))
                continue
            limit = objective.limit
            block["objective"] = limit if name is IndicatorName.LATENCY else round(1 - limit, 6)
            selected = {}
        spec = parse_block(json.dumps({"service": survey.service, **block, **selected}).encode())
        assert isinstance(spec, JudgedSpec)  # noqa: S101 # the block has compare or an objective
        yield name, (block, spec)


def _plan_judged(
    survey: Survey,
    form: Form,
    name: IndicatorName,
    block: Mapping[str, Any],
    times: Sequence[WeightTimes],
    chosen: int,
    *,
    by_pods: bool,
) -> SuggestedMetric:
    facts = measure_indicator(survey, name)
    reasons = [texts.describe_indicator(survey, name, facts)]
    keys = {}
    if form is Form.OBJECTIVE:
        keys["objective"] = texts.describe_objective(name, facts)
    if block.get("compare"):
        keys["tolerated"] = texts.WIDER_MARGINS
    most = times[chosen].times[name].most
    wait = choose_wait(most)
    content = dict(block)
    if wait != DEFAULT_WAIT:
        content["maxWait"] = f"{wait}m"
        keys["maxWait"] = texts.describe_wait(most, wait)
    reasons.append(texts.describe_times(name, times, by_pods=by_pods))
    return SuggestedMetric(name, {}, content, tuple(reasons), keys)


def _plan_thresholds(survey: Survey, traffic: Traffic, weight: float, advice: list[str]) -> Iterator[SuggestedMetric]:
    for name in survey.minutes:
        facts = measure_indicator(survey, name)
        threshold = place_threshold(survey, name, traffic.quiet_rate * weight / 100)
        if threshold is None:
            advice.append(texts.describe_no_limit(name, facts))
            continue
        latency = name is IndicatorName.LATENCY
        limit = f"result <= {threshold.limit:g}" if latency else f"result >= {round(1 - threshold.limit, 6):g}"
        if threshold.calls < threshold.min_calls:
            advice.append(texts.describe_thin_window(name, threshold, weight))
        yield SuggestedMetric(
            name,
            {"interval": "1m", "count": _LOOKS, "successCondition": limit},
            {"sli": name.value, "window": f"{threshold.window}m", "minCalls": threshold.min_calls},
            (texts.describe_indicator(survey, name, facts), texts.describe_threshold(name, threshold)),
            {"minCalls": texts.describe_min_calls(threshold, weight)},
        )
