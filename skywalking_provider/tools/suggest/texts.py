"""Sentences of a suggestion: the measured reasons for comments, and the advice for standard error. Pure."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from skywalking_provider.block import IndicatorName, JudgedSpec
from skywalking_provider.support.counts import format_count
from skywalking_provider.tools.backtest.outcome import Rate
from skywalking_provider.tools.backtest.pod_split import MIN_PODS
from skywalking_provider.tools.check.thin_traffic import format_harmful
from skywalking_provider.tools.suggest.limits import ENOUGH_FAILURES, Threshold
from skywalking_provider.tools.suggest.model import Survey
from skywalking_provider.tools.suggest.rollout_steps import RolloutSteps
from skywalking_provider.tools.suggest.traffic import IndicatorFacts, Traffic
from skywalking_provider.tools.suggest.verdict_time import VerdictTime, suggest_wider_harmful
from skywalking_provider.tools.suggest.weights import DEFAULT_WAIT, WeightTimes

_SHORTER = timedelta(minutes=30)
"""Minutes without data at the begin of the past from which on they are mentioned."""

_NOTABLE: Final = 1.25
"""Factor from which on the worst hour differs from the others."""

WIDER_MARGINS: Final = "wider than the default, with which pods of one version abort each other"


def describe_survey(survey: Survey, traffic: Traffic) -> list[str]:
    """Return the facts about the service as a whole."""
    start, end = survey.minute_at(survey.first), survey.minute_at(survey.total)
    past = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M %z}"
    rates = f"{format_rate(traffic.rate)} calls a minute, {format_rate(traffic.quiet_rate)} in quiet hours"
    busy = f"{format_percent(traffic.busy_share)} of the minutes have calls"
    lines = [
        f"Suggested from the calls of {survey.service} ({', '.join(survey.layers)}) from {past}.",
        f"Last {format_length(survey.length)}: {rates}; {busy}.",
    ]
    if survey.versions:
        lines.append(
            f"Versions are distinguished by the pod-template-hash of {format_count(survey.instances, 'instance')}:"
            f" {format_count(len(survey.versions), 'version')} with calls."
        )
    return lines


def describe_gaps(survey: Survey, *, by_pods: bool) -> Iterator[str]:
    """Yield what the past does not show."""
    if survey.first * timedelta(minutes=1) > _SHORTER:
        yield (
            f"the OAP has no calls before {survey.minute_at(survey.first):%Y-%m-%d %H:%M %z}: its TTL or the life of"
            f" the service is shorter than --since. The template rests on {format_length(survey.length)}"
        )
    if not by_pods:
        yield (
            f"versions cannot be distinguished: {_describe_unnamed(survey)}. The template measures the whole service,"
            " in which a small canary is hardly seen. Set the instance name of the agents to the name of the pod"
        )
    elif survey.unnamed_count:
        yield (
            f"{survey.unnamed_count} of {format_count(survey.instances, 'instance')} have no pod-template-hash"
            f" ({', '.join(survey.unnamed)}): their calls belong to neither version"
        )
    yield from survey.lacking


def describe_few_pods(survey: Survey) -> str:
    """Return why the false-abort rate is not measured."""
    most = f"the version with most has {survey.most_pods}" if survey.most_pods < MIN_PODS else "none has them for long"
    return (
        f"the false-abort rate is not measured: A/A runs need {MIN_PODS} pods of one version with calls in a whole run,"
        f" and {most}"
    )


def describe_different_pods(name: IndicatorName, aborts: Rate) -> str:
    """Return the advice for pods of one version that differ by more than any suggested margin."""
    return (
        f"{name}: {aborts.events} of {format_count(aborts.runs, 'A/A run')} abort, also with wider margins: pods of one"
        " version differ from each other. Find the pod that is worse than the others, or write a wider tolerated and"
        " harmful below compare"
    )


def describe_indicator(survey: Survey, name: IndicatorName, facts: IndicatorFacts) -> str:
    """Return the facts about an indicator."""
    worst = ""
    if facts.worst is not None and facts.worst.value > _NOTABLE * facts.mean:
        worst = f"; worst hour {survey.minute_at(facts.worst.start):%m-%d %H:%M}: {_value(name, facts.worst.value)}"
    return (
        f"Last {format_length(survey.length)}: {_label(name)} {_value(name, facts.mean)} of"
        f" {facts.calls:,} calls{worst}."
    )


def describe_objective(name: IndicatorName, facts: IndicatorFacts) -> str:
    """Return where an objective comes from."""
    factor = "1.5 times" if name is IndicatorName.LATENCY else "twice the failures of"
    return f"{factor} the usual hour: 95 % of the hours have at {_side(name)} {_value(name, facts.usual)}"


def describe_threshold(name: IndicatorName, threshold: Threshold) -> str:
    """Return where a threshold comes from."""
    text = (
        f"99 % of the windows of {threshold.window} minutes had at {_side(name)} {_value(name, threshold.past)}"
        " in the whole service"
    )
    if name is IndicatorName.LATENCY:
        return f"{text}; the limit is 1.5 times that."
    return (
        f"{text}; of {threshold.min_calls} calls, chance alone shows less than {_value(name, threshold.chance)}"
        " in one of 10,000 windows."
    )


def describe_min_calls(threshold: Threshold, weight: float) -> str:
    """Return the calls that a window has."""
    return f"{format_rate(threshold.calls)} calls of a window in quiet hours at {weight:g} %"


def describe_thin_window(name: IndicatorName, threshold: Threshold, weight: float) -> str:
    """Return the advice for a window that has too few calls for any threshold."""
    return (
        f"{name}: at {weight:g} % a window of {threshold.window} minutes has {format_rate(threshold.calls)} canary"
        f" calls in quiet hours, fewer than minCalls: {threshold.min_calls}. Raise the weight, or leave out"
        " --thresholds: a judged block waits for the calls that it needs"
    )


def describe_no_limit(name: IndicatorName, facts: IndicatorFacts) -> str:
    """Return why an indicator has no limit."""
    if facts.failures < ENOUGH_FAILURES:
        return f"{name} is left out: {format_count(facts.calls, 'call')} are too few for a limit. Set a longer --since"
    return f"{name} is left out: {_value(name, facts.usual)} in usual hours leaves no room for a limit"


def describe_times(name: IndicatorName, times: Sequence[WeightTimes], *, by_pods: bool) -> str:
    """Return the minutes until a verdict by weight."""
    if not by_pods:
        return f"A service in order is found fine after {_minutes(times[0].times[name])}."
    shown = ", ".join(f"{one.weight:g} %: {_minutes(one.times[name])}" for one in times)
    return f"A canary in order is found fine, by its share of the calls, after: {shown}."


def describe_wait(most: int | None, wait: int) -> str:
    """Return why a block waits longer than by default."""
    if most is None or most >= wait:
        return "too short for a verdict at these calls: see the times above"
    return f"nine of ten verdicts take {most} minutes at most"


def describe_waits(survey: Survey, traffic: Traffic, times: WeightTimes, specs: Sequence[JudgedSpec]) -> Iterator[str]:
    """Yield the advice for metrics whose verdict takes longer than usual."""
    for spec in specs:
        one = times.times[spec.sli]
        if one.most is not None and one.most <= DEFAULT_WAIT:
            continue
        wider = suggest_wider_harmful(spec, survey, times.weight, DEFAULT_WAIT)
        instead = f", or write {format_harmful(wider)}" if wider else ""
        yield (
            f"{spec.sli}: at {format_rate(traffic.rate * times.weight / 100)} canary calls a minute"
            f" ({times.weight:g} %) a verdict takes {_minutes(one)}: raise the weight or give the step more time"
            f" (maxWait){instead}"
        )


def describe_rollout(
    rollout: RolloutSteps, traffic: Traffic, times: Sequence[WeightTimes], chosen: int
) -> Iterator[str]:
    """Yield what each weight of a Rollout permits, and what its pauses add."""
    for at, (step, one) in enumerate(zip(rollout.weights, times, strict=True)):
        share = f" (about {one.weight:.3g} % of the pods)" if not rollout.routed else ""
        slowest = max(one.times.values(), key=lambda time: float("inf") if time.median is None else time.median)
        pause = "a pause without end" if step.pause is None else f"{step.pause:g} minutes of pause"
        yield (
            f"setWeight {step.weight}{share}: {format_rate(traffic.rate * one.weight / 100)} canary calls a minute, a"
            f" verdict takes {_minutes(slowest)}{f', then {pause}' if step.pause != 0 else ''}"
            f"{'; the analysis is here' if at == chosen else ''}"
        )


def format_length(minutes: int) -> str:
    """Return a number of minutes in hours or days."""
    if minutes < 120:
        return format_count(minutes, "minute")
    return f"{round(minutes / 60, 1):g} h" if minutes <= 48 * 60 else f"{round(minutes / 1440, 1):g} days"


def format_rate(calls: float) -> str:
    """Return a number of calls with three digits."""
    return f"{calls:.3g}" if calls < 100 else str(round(calls))


def format_percent(share: float) -> str:
    """Return a share with as many digits as its distance from 100 % needs."""
    for digits in (0, 1, 2, 3, 4):
        if round(100 * share, digits) < 100 or share == 1:
            return f"{round(100 * share, max(digits, 2) if 0.5 < share < 1 else digits):g} %"
    return f"{100 * share:.6g} %"


def _describe_unnamed(survey: Survey) -> str:
    if not survey.instances:
        return "the OAP lists no instances of the service"
    named = f", such as {', '.join(survey.unnamed)}" if survey.unnamed else ""
    count = format_count(survey.instances, "instance")
    return f"none of {count} has a pod-template-hash in its name or attributes{named}"


def _minutes(time: VerdictTime) -> str:
    if time.median is None:
        return "more than 4 hours"
    median = f"about {format_length(time.median)}"
    if time.most is None:
        return f"{median}, more than 4 hours in some runs"
    if time.most <= time.median + 1:
        return median
    return f"{median} (nine of ten: {format_length(time.most)})"


def _label(name: IndicatorName) -> str:
    return "mean latency" if name is IndicatorName.LATENCY else "success rate"


def _side(name: IndicatorName) -> str:
    return "most" if name is IndicatorName.LATENCY else "least"


def _value(name: IndicatorName, value: float) -> str:
    return f"{format_rate(value)} ms" if name is IndicatorName.LATENCY else format_percent(1 - value)
