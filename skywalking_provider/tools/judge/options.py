"""Limits for CSV: the keys of a judged block, with its units, defaults and bounds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from skywalking_provider.block.judged import JudgedSpec
from skywalking_provider.judgement import Confidence, Limit, latency_variance
from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.support.validation_messages import format_validation_error
from skywalking_provider.tools.judge.case import Case, CaseKind, CaseMinute
from skywalking_provider.tools.judge.numbers import MAX_MILLISECONDS, parse_number

_PAIR = re.compile(r"\s*([A-Za-z]+)\s*[=:]\s*([^,{}\s]+)\s*")
_MARGIN: Final = ("ratio", "difference")


class JudgeSli(StrEnum):
    """Indicators that can be judged."""

    SUCCESS_RATE = "success-rate"
    APDEX = "apdex"
    LATENCY = "latency"


class OptionError(ValueError):
    """An option that is invalid, or that does not fit the file.

    Args:
        option: Name of the option; empty if the message has the key of the block.
        message: The problem and the next step.
    """

    def __init__(self, option: str, message: str) -> None:
        self.option = option
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """Options as they are written; None or an empty text is the default.

    Attributes:
        sli: Indicator.
        percentile: Percentile of the latency.
        objective: Success rate or apdex that is wanted at least, or milliseconds at most.
        compare: Whether the canary is compared with stable.
        tolerated: Margin such as "ratio=1.25,difference=0.001".
        harmful: With an objective a value in its unit, else a margin.
        confidence: Confidence in worse, or "worse=0.999,fine=0.95".
    """

    sli: JudgeSli | None = None
    percentile: int | None = None
    objective: str = ""
    compare: bool = False
    tolerated: str = ""
    harmful: str = ""
    confidence: str = ""

    @property
    def written(self) -> Sequence[str]:
        """Names of the options that are set."""
        return [f"--{name}" for name in self.__slots__ if getattr(self, name) not in {None, "", False}]

    @property
    def whole_failures(self) -> bool:
        """Whether failures are whole numbers. Apdex counts calls in halves."""
        return self.sli is not JudgeSli.APDEX


def build_case(
    options: JudgeOptions, minutes: Sequence[CaseMinute], *, is_latency: bool, has_stable: bool
) -> tuple[JudgeSli, Case]:
    """Return the indicator and the case of a file.

    Raises:
        OptionError: An option is invalid, or does not fit the columns.
    """
    sli = options.sli or (JudgeSli.LATENCY if is_latency else JudgeSli.SUCCESS_RATE)
    if (sli is JudgeSli.LATENCY) != is_latency:
        columns = "ms" if is_latency else "failures"
        raise OptionError("--sli", f"{sli} does not fit the column {columns}. Set the indicator of the file's columns")
    if options.objective and options.compare:
        raise OptionError("--objective", "excludes --compare. Set one of them")
    if options.objective and options.tolerated:
        raise OptionError("--tolerated", "belongs to --compare. Remove it: the objective is what is tolerated")
    if not options.objective and not has_stable:
        what = "--compare" if options.compare else "the comparison"
        raise OptionError(
            "--objective", f"is not set, and {what} needs columns of stable. Set --objective, or add the columns"
        )
    try:
        spec = JudgedSpec.model_validate(_build_block(options, sli))
    except ValidationError as error:
        raise OptionError("", format_validation_error(error, JudgedSpec)) from error
    return sli, _build_case(spec, tuple(minutes))


def _build_block(options: JudgeOptions, sli: JudgeSli) -> dict[str, Any]:
    """Return the block that the options describe."""
    block: dict[str, Any] = {"sli": sli.value, "service": "canary"}
    if options.percentile is not None:
        block["percentile"] = options.percentile
    if options.confidence:
        block["confidence"] = _parse_confidence(options.confidence)
    if options.objective:
        block["objective"] = _parse("--objective", options.objective)
        if options.harmful:
            block["harmful"] = _parse("--harmful", options.harmful)
        return block
    margins = (("tolerated", options.tolerated), ("harmful", options.harmful))
    block["compare"] = {"service": "stable"} | {
        name: _parse_pairs(f"--{name}", text, _MARGIN) for name, text in margins if text
    }
    return block


def _build_case(spec: JudgedSpec, minutes: tuple[CaseMinute, ...]) -> Case:
    variance = latency_variance(spec.percentile)
    confidence = Confidence.of(spec.confidence.worse, spec.confidence.fine)
    if spec.tolerated is not None and spec.harmful_limit is not None:
        kind = CaseKind.LATENCY if spec.judges_latency else CaseKind.COMPARE
        tolerated, harmful = (Limit(one.difference, one.ratio) for one in (spec.tolerated, spec.harmful_limit))
        return Case(kind, tolerated, harmful, minutes, confidence, variance)
    wanted, objective = spec.objective or 0.0, spec.harmful_objective or 0.0
    if spec.judges_latency:
        return Case(CaseKind.LATENCY_OBJECTIVE, Limit(wanted, 0), Limit(objective, 0), minutes, confidence, variance)
    return Case(CaseKind.OBJECTIVE, Limit(1 - wanted, 0), Limit(1 - objective, 0), minutes, confidence, variance)


def _parse_confidence(text: str) -> object:
    named = any(sign in text for sign in "=:")
    return _parse_pairs("--confidence", text, ("worse", "fine")) if named else _parse("--confidence", text)


def _parse_pairs(option: str, text: str, names: tuple[str, str]) -> dict[str, float]:
    """Parse "ratio=1.25,difference=0.001", or the same as a map of YAML."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    values = dict[str, float]()
    for part in inner.split(",") if inner.strip() else []:
        found = _PAIR.fullmatch(part)
        if not found:
            raise OptionError(option, f"has {part.strip()!r}. Write {names[0]}=…,{names[1]}=…")
        name = found[1]
        if name not in names:
            raise OptionError(option, f"has the unknown name {name}. {did_you_mean(name, names, 'names')}")
        if name in values:
            raise OptionError(option, f"has {name} more than once. Remove one")
        values[name] = _parse(option, found[2])
    return values


def _parse(option: str, text: str) -> float:
    try:
        number = parse_number(text.strip())
    except ValueError as error:
        raise OptionError(option, str(error)) from error
    if number > MAX_MILLISECONDS:
        raise OptionError(option, f"is {number:g}, must be at most {MAX_MILLISECONDS:g}. Correct the number")
    return number
