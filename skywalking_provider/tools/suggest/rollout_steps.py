"""Canary steps of a Rollout's manifest: weights, pauses and analyses. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any, Final

import yaml

from skywalking_provider.support.durations import parse_duration
from skywalking_provider.tools.suggest.model import SuggestError
from skywalking_provider.tools.templates import find_helm_markup, is_argo_object

_DEFAULT_REPLICAS: Final = 1


@dataclass(frozen=True, slots=True)
class WeightStep:
    """A `setWeight` of a canary.

    Attributes:
        index: Position in `steps`.
        weight: Weight as written, in percent.
        share: Canary's share of the calls in percent. Without traffic routing it follows the numbers of pods.
        pause: Minutes of the pauses until the next weight; None if one of them has no end.
        analysed: Whether an analysis follows before the next weight.
    """

    index: int
    weight: int
    share: float
    pause: float | None
    analysed: bool


@dataclass(frozen=True, slots=True)
class RolloutSteps:
    """Canary strategy of a Rollout.

    Attributes:
        document: Position of the Rollout in its file.
        name: Name of the Rollout.
        namespace: Namespace of the Rollout; empty for none.
        weights: Weights above 0 and below 100, in order.
        background: Whether it has a background analysis.
        templates: Names of all analysis templates that it uses.
        routed: Whether it routes the traffic. Otherwise the weights are shares of the pods.
    """

    document: int
    name: str
    namespace: str
    weights: tuple[WeightStep, ...]
    background: bool
    templates: frozenset[str]
    routed: bool


def read_rollout(text: str, file: str) -> RolloutSteps:
    """Return the canary steps of the only Rollout of a file.

    Raises:
        SuggestError: The file has no Rollout, several ones, or one whose strategy has no place for an analysis.
    """
    try:
        documents = [one for one in yaml.safe_load_all(text) if one is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        hint = " Pass the rendered manifest, as helm template writes it." if find_helm_markup(text) else ""
        raise SuggestError(f"--rollout: {file} is not YAML: {_first_line(error)}.{hint}") from error
    rollouts = [(at, one) for at, one in enumerate(documents) if _is_rollout(one)]
    if len(rollouts) != 1:
        names = ", ".join(str(_name(one)) for _, one in rollouts)
        problem = f"has {len(rollouts)} Rollouts ({names})" if rollouts else "has no Rollout"
        raise SuggestError(f"--rollout: {file} {problem}. Pass a file with one Rollout")
    at, rollout = rollouts[0]
    return _read(rollout, at, file)


def _read(rollout: Mapping[str, Any], at: int, file: str) -> RolloutSteps:
    metadata, spec = _mapping(rollout.get("metadata")), _mapping(rollout.get("spec"))
    strategy = _mapping(spec.get("strategy"))
    if "blueGreen" in strategy:
        raise SuggestError(
            f"--rollout: {file} has the strategy blueGreen, whose versions do not get traffic at the same time. Remove"
            " --rollout, and use the template with an objective in postPromotionAnalysis"
        )
    canary = _mapping(strategy.get("canary"))
    steps = canary.get("steps")
    if not isinstance(steps, list) or not steps:
        raise SuggestError(f"--rollout: {file} has no canary steps. Add a setWeight to spec.strategy.canary.steps")
    replicas = spec.get("replicas", _DEFAULT_REPLICAS)
    routed = bool(canary.get("trafficRouting"))
    pods = None if routed or not isinstance(replicas, int) or isinstance(replicas, bool) else max(replicas, 1)
    weights = _read_weights(steps, pods)
    if not weights:
        raise SuggestError(
            f"--rollout: no step of {file} gives the canary a part of the traffic. Add a setWeight from 1 to 99"
        )
    templates = [*_templates_of(canary.get("analysis")), *(name for one in steps for name in _templates_of_step(one))]
    return RolloutSteps(
        at,
        str(metadata.get("name", "")),
        str(metadata.get("namespace") or ""),
        weights,
        bool(canary.get("analysis")),
        frozenset(templates),
        routed,
    )


def _read_weights(steps: Sequence[Any], pods: int | None) -> tuple[WeightStep, ...]:
    weights = []
    at = [index for index, step in enumerate(steps) if isinstance(_mapping(step).get("setWeight"), int)]
    for index, following in zip(at, [*at[1:], len(steps)], strict=True):
        weight = steps[index]["setWeight"]
        if not 0 < weight < 100:
            continue
        between = [_mapping(one) for one in steps[index + 1 : following]]
        pauses = [_pause_minutes(one["pause"]) for one in between if "pause" in one]
        pause = None if None in pauses else sum(one for one in pauses if one is not None)
        share = float(weight) if pods is None else min(99.0, 100 * ceil(pods * weight / 100) / pods)
        weights.append(WeightStep(index, weight, share, pause, any("analysis" in one for one in between)))
    return tuple(weights)


def _pause_minutes(pause: Any) -> float | None:
    """Return the minutes of a pause; None if it has no end."""
    duration = _mapping(pause).get("duration")
    if duration is None:
        return None
    if isinstance(duration, int) or (isinstance(duration, str) and duration.isdigit()):
        return int(duration) / 60
    try:
        return parse_duration(duration) / timedelta(minutes=1)
    except ValueError:
        return 0.0


def _templates_of_step(step: Any) -> list[str]:
    return _templates_of(_mapping(step).get("analysis"))


def _templates_of(analysis: Any) -> list[str]:
    templates = _mapping(analysis).get("templates")
    return [str(_mapping(one).get("templateName")) for one in templates] if isinstance(templates, list) else []


def _is_rollout(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and document.get("kind") == "Rollout"
        and is_argo_object(str(document.get("apiVersion")))
    )


def _name(document: Mapping[str, Any]) -> Any:
    return _mapping(document.get("metadata")).get("name")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
