"""JSON lines for test vectors: each line is one case with its limits as failure rates or milliseconds.

The keys `name`, `worse`, `fine` and `verdict` are accepted in every line. `name` is shown; the others are expectations
of the vector's author, which do not influence the output.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ValidationError, model_validator

from skywalking_provider.block.compare import MAX_DIFFERENCE, MAX_RATIO
from skywalking_provider.judgement import Confidence, Limit
from skywalking_provider.judgement.latency import MEAN_VARIANCE
from skywalking_provider.support.key_levels import yaml_keys
from skywalking_provider.support.strict_model import StrictModel
from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.support.validation_messages import describe_value, format_validation_error
from skywalking_provider.tools.judge.case import Case, CaseKind, CaseMinute
from skywalking_provider.tools.judge.numbers import (
    MAX_MILLISECONDS,
    build_counts,
    build_latency,
    check_range,
    parse_number,
)

_MIN_ERROR: Final = 1e-12  # smaller probabilities would need evidence beyond what the judge keeps
_MAX_VARIANCE: Final = 1e6
_MAX_DIGITS: Final = 300


@dataclass(frozen=True, slots=True)
class NamedCase:
    """Case of one line, with the name that its author wrote."""

    name: str
    case: Case


def _parse_probability(value: object) -> float:
    number = parse_number(value)
    if not _MIN_ERROR <= number < 1:
        raise ValueError(f"is {number:g}, must be at least {_MIN_ERROR:g} and less than 1. Write a probability")
    return number


def _parse_rate(value: object) -> float:
    number = parse_number(value)
    if not 0 < number < 1:
        raise ValueError(f"is {number:g}, must be more than 0 and less than 1. Write a failure rate")
    return number


def _parse_positive(at_most: float) -> Callable[[object], float]:
    def parse(value: object) -> float:
        number = parse_number(value)
        if not 0 < number <= at_most:
            raise ValueError(f"is {number:g}, must be more than 0 and at most {at_most:g}. Correct the number")
        return number

    return parse


def _parse_pair(max_difference: float) -> Callable[[object], Limit]:
    def parse(value: object) -> Limit:
        if not isinstance(value, list) or len(value) != 2:
            raise ValueError(f"is {_describe(value)}. Write [difference, ratio]")
        difference = check_range(parse_number(value[0]), "difference", max_difference)
        ratio = parse_number(value[1])
        if not 1 <= ratio <= MAX_RATIO:
            raise ValueError(f"has the ratio {ratio:g}, must be from 1 to {MAX_RATIO}. Write [difference, ratio]")
        return Limit(difference, ratio)

    return parse


def _parse_minutes(parse_minute: Callable[..., CaseMinute], form: str) -> Callable[[object], tuple[CaseMinute, ...]]:
    size = form.count(",") + 1

    def parse(value: object) -> tuple[CaseMinute, ...]:
        if not isinstance(value, list):
            raise ValueError(f"is {describe_value(value)}. Write a list of {form}")
        minutes = list[CaseMinute]()
        for number, one in enumerate(value, 1):
            if not isinstance(one, list) or len(one) != size:
                raise ValueError(f"minute {number} is {_describe(one)}. Write {form}")
            try:
                minutes.append(parse_minute(*one))
            except ValueError as error:
                raise ValueError(f"minute {number}: {error}") from error
        return tuple(minutes)

    return parse


def _describe(value: object) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else describe_value(value)


def _check_name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"is {describe_value(value)}. Quote it")
    return value


Probability = Annotated[float, BeforeValidator(_parse_probability)]
Rate = Annotated[float, BeforeValidator(_parse_rate)]
Milliseconds = Annotated[float, BeforeValidator(_parse_positive(MAX_MILLISECONDS))]
Variance = Annotated[float, BeforeValidator(_parse_positive(_MAX_VARIANCE))]
RatePair = Annotated[Limit, BeforeValidator(_parse_pair(MAX_DIFFERENCE))]
MillisecondPair = Annotated[Limit, BeforeValidator(_parse_pair(MAX_MILLISECONDS))]


class _Line(StrictModel):
    """Keys of all kinds. `worse`, `fine` and `verdict` are ignored."""

    kind: CaseKind
    name: Annotated[str, BeforeValidator(_check_name)] = ""
    alpha: Probability = 0.001
    beta: Probability = 0.05
    worse: Any = None
    fine: Any = None
    verdict: Any = None

    def build_case(self) -> Case:
        """Return the case of the line."""
        raise NotImplementedError


def _check_order(tolerated: float, harmful: float, name: str) -> None:
    if not tolerated < harmful:
        raise ValueError(
            f"harmful is {harmful:g}, must be more than {name}, which is {tolerated:g}. Correct the limits"
        )


class _ObjectiveLine(_Line):
    tolerated: Rate
    harmful: Rate
    minutes: Annotated[
        tuple[CaseMinute, ...],
        BeforeValidator(
            _parse_minutes(
                lambda calls, low, high: CaseMinute(build_counts(calls, low, high)), "[calls, failures, failures_high]"
            )
        ),
    ]

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        _check_order(self.tolerated, self.harmful, "tolerated")
        return self

    def build_case(self) -> Case:
        limits = Limit(self.tolerated, 0), Limit(self.harmful, 0)
        return Case(self.kind, *limits, self.minutes, Confidence(self.alpha, self.beta))


class _LatencyObjectiveLine(_Line):
    wanted: Milliseconds
    harmful: Milliseconds
    variance: Variance = MEAN_VARIANCE
    minutes: Annotated[
        tuple[CaseMinute, ...],
        BeforeValidator(_parse_minutes(lambda calls, ms: CaseMinute(build_latency(calls, ms)), "[calls, ms]")),
    ]

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        _check_order(self.wanted, self.harmful, "wanted")
        return self

    def build_case(self) -> Case:
        limits = Limit(self.wanted, 0), Limit(self.harmful, 0)
        return Case(self.kind, *limits, self.minutes, Confidence(self.alpha, self.beta), self.variance)


def _check_pairs(tolerance: Limit, harm: Limit) -> None:
    for name in ("difference", "ratio"):
        low, high = getattr(tolerance, name), getattr(harm, name)
        if low > high:
            raise ValueError(
                f"harm has the {name} {high:g}, must be at least that of tolerance, which is {low:g}."
                " Write [difference, ratio]"
            )


class _CompareLine(_Line):
    tolerance: RatePair
    harm: RatePair
    minutes: Annotated[
        tuple[CaseMinute, ...],
        BeforeValidator(
            _parse_minutes(
                lambda *numbers: CaseMinute(build_counts(*numbers[:3]), build_counts(*numbers[3:], prefix="stable_")),
                "[calls, failures, failures_high, stable_calls, stable_failures, stable_failures_high]",
            )
        ),
    ]

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        _check_pairs(self.tolerance, self.harm)
        return self

    def build_case(self) -> Case:
        return Case(self.kind, self.tolerance, self.harm, self.minutes, Confidence(self.alpha, self.beta))


class _LatencyLine(_Line):
    tolerance: MillisecondPair
    harm: MillisecondPair
    variance: Variance = MEAN_VARIANCE
    minutes: Annotated[
        tuple[CaseMinute, ...],
        BeforeValidator(
            _parse_minutes(
                lambda calls, ms, stable_calls, stable_ms: CaseMinute(
                    build_latency(calls, ms), build_latency(stable_calls, stable_ms, prefix="stable_")
                ),
                "[calls, ms, stable_calls, stable_ms]",
            )
        ),
    ]

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        _check_pairs(self.tolerance, self.harm)
        return self

    def build_case(self) -> Case:
        return Case(
            self.kind, self.tolerance, self.harm, self.minutes, Confidence(self.alpha, self.beta), self.variance
        )


_LINES: Final[Mapping[CaseKind, type[_Line]]] = {
    CaseKind.OBJECTIVE: _ObjectiveLine,
    CaseKind.COMPARE: _CompareLine,
    CaseKind.LATENCY: _LatencyLine,
    CaseKind.LATENCY_OBJECTIVE: _LatencyObjectiveLine,
}


def parse_case_line(text: str) -> NamedCase:
    """Parse one line.

    Raises:
        ValueError: The line is invalid; the message has the key and the next step.
    """
    value = _load(text)
    if not isinstance(value, dict):
        raise ValueError(f'is {describe_value(value)}. Write an object {{"kind": …, "minutes": …}}')
    return parse_case(value)


def parse_case(value: Mapping[str, object]) -> NamedCase:
    """Parse the object of one line.

    Raises:
        ValueError: A key or a value is invalid.
    """
    kinds = ", ".join(json.dumps(kind) for kind in CaseKind)
    if "kind" not in value:
        raise ValueError(f"kind: is required. Write one of {kinds}")
    kind = value["kind"]
    if not isinstance(kind, str) or kind not in list(CaseKind):
        raise ValueError(f"kind: is {describe_value(kind)}. Write one of {kinds}")
    model = _LINES[CaseKind(kind)]
    try:
        line = model.model_validate(value)
    except ValidationError as error:
        raise ValueError(format_validation_error(error, model, key_hint=_hint_key)) from error
    return NamedCase(line.name, line.build_case())


def _hint_key(level: type[BaseModel], key: str) -> str:
    kinds = [kind for kind, model in _LINES.items() if key in yaml_keys(model)]
    if kinds:
        return f"It belongs to kind {' or '.join(json.dumps(kind) for kind in kinds)}."
    return did_you_mean(key, yaml_keys(level), "keys")


def _load(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_reject_constant, parse_int=_parse_int, object_pairs_hook=_build_object)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at column {error.colno}. Write one object") from error
    except RecursionError:
        raise ValueError("is nested too deep. Write one object of numbers and lists") from None


def _reject_constant(text: str) -> object:
    raise ValueError(f"has {text}, which is not a number of JSON. Write a finite number")


def _parse_int(text: str) -> float:
    return int(text) if len(text) <= _MAX_DIGITS else float(text)  # Python's int rejects more than 4300 digits


def _build_object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"has the key {twice} more than once. Remove one")
    return built
