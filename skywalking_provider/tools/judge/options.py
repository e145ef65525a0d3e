"""Limits for CSV, in the units and with the defaults and bounds of a block."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from skywalking_provider.judgement import Confidence, Limit, latency_variance
from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.judge.case import Case, CaseKind, CaseMinute
from skywalking_provider.tools.judge.numbers import MAX_MILLISECONDS, parse_number

PERCENTILES: Final = (50, 75, 90, 95, 99)


class JudgeSli(StrEnum):
    """Indicators that can be judged."""

    SUCCESS_RATE = "success-rate"
    APDEX = "apdex"
    LATENCY = "latency"


_TOLERATED: Final[Mapping[JudgeSli, Limit]] = {
    JudgeSli.SUCCESS_RATE: Limit(0.001, 1.25),
    JudgeSli.APDEX: Limit(0.01, 1.25),
    JudgeSli.LATENCY: Limit(10, 1.25),
}
_HARMFUL: Final[Mapping[JudgeSli, Limit]] = {
    JudgeSli.SUCCESS_RATE: Limit(0.01, 3),
    JudgeSli.APDEX: Limit(0.05, 2),
    JudgeSli.LATENCY: Limit(50, 2),
}
_MAX_RATIO: Final = 20
_MAX_DIFFERENCE: Final = 0.5
_MIN_RATE: Final = Decimal("0.5")
_PAIR = re.compile(r"\s*([A-Za-z]+)\s*[=:]\s*([^,{}\s]+)\s*")


class OptionError(ValueError):
    """An option that is invalid, or that does not fit the file.

    Args:
        option: Name of the option.
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
    if options.percentile is not None and sli is not JudgeSli.LATENCY:
        raise OptionError("--percentile", f"belongs to latency, not to {sli}. Remove it")
    if options.percentile is not None and options.percentile not in PERCENTILES:
        known = ", ".join(map(str, PERCENTILES))
        raise OptionError("--percentile", f"is {options.percentile}. Write one of {known}")
    if options.objective and options.compare:
        raise OptionError("--objective", "excludes --compare. Set one of them")
    if not options.objective and not has_stable:
        what = "--compare" if options.compare else "the comparison"
        raise OptionError(
            "--objective", f"is not set, and {what} needs columns of stable. Set --objective, or add the columns"
        )
    variance, confidence = latency_variance(options.percentile), _parse_confidence(options.confidence)
    if options.objective:
        if options.tolerated:
            raise OptionError("--tolerated", "belongs to --compare. Remove it: the objective is what is tolerated")
        limits = _parse_objective(options, sli)
        kind = CaseKind.LATENCY_OBJECTIVE if is_latency else CaseKind.OBJECTIVE
    else:
        limits = _parse_margins(options, sli)
        kind = CaseKind.LATENCY if is_latency else CaseKind.COMPARE
    return sli, Case(kind, *limits, tuple(minutes), confidence, variance)


def _parse_objective(options: JudgeOptions, sli: JudgeSli) -> tuple[Limit, Limit]:
    objective = _parse("--objective", options.objective)
    harmful = _parse("--harmful", options.harmful) if options.harmful else None
    if sli is JudgeSli.LATENCY:
        harmful = 2 * objective if harmful is None else harmful
        if not 1 <= objective <= MAX_MILLISECONDS:
            raise OptionError("--objective", f"is {objective:g}, must be at least 1. Write milliseconds")
        if not objective < harmful <= MAX_MILLISECONDS:
            raise OptionError(
                "--harmful", f"is {harmful:g}, must be more than the objective {objective:g}. Write milliseconds"
            )
        return Limit(objective, 0), Limit(harmful, 0)
    wanted = Decimal(str(objective))
    if not _MIN_RATE < wanted < 1:
        percent = f" for {objective:g} %" if 1 < objective <= 100 else ""
        example = f"{objective / 100:g}" if percent else "0.99"
        raise OptionError(
            "--objective", f"is {objective:g}, must be more than 0.5 and less than 1. Write {example}{percent}"
        )
    lowest = max(_MIN_RATE, 1 - 3 * (1 - wanted)) if harmful is None else Decimal(str(harmful))
    if not _MIN_RATE <= lowest < wanted:
        raise OptionError(
            "--harmful",
            f"is {lowest:g}, must be at least 0.5 and less than the objective {objective:g}. Write a lower value",
        )
    return Limit(float(1 - wanted), 0), Limit(float(1 - lowest), 0)


def _parse_margins(options: JudgeOptions, sli: JudgeSli) -> tuple[Limit, Limit]:
    tolerated = _parse_margin("--tolerated", options.tolerated, _TOLERATED[sli], sli)
    harmful = _parse_margin("--harmful", options.harmful, _HARMFUL[sli], sli)
    for name in ("ratio", "difference"):
        low, high = getattr(tolerated, name), getattr(harmful, name)
        if low > high:
            raise OptionError(
                "--tolerated", f"has the {name} {low:g}, more than that of --harmful, {high:g}. Correct one of them"
            )
    if tolerated == harmful:
        raise OptionError("--harmful", "is the same as --tolerated. Increase ratio or difference")
    if tolerated == Limit(0, 1):
        raise OptionError(
            "--tolerated", "permits no difference, and every canary differs by something. Increase ratio or difference"
        )
    return tolerated, harmful


def _parse_margin(option: str, text: str, default: Limit, sli: JudgeSli) -> Limit:
    values = _parse_pairs(option, text, ("ratio", "difference")) if text else {}
    limit = Limit(values.get("difference", default.difference), values.get("ratio", default.ratio))
    if not 1 <= limit.ratio <= _MAX_RATIO:
        raise OptionError(option, f"has the ratio {limit.ratio:g}, must be from 1 to {_MAX_RATIO}. Correct the ratio")
    highest = MAX_MILLISECONDS if sli is JudgeSli.LATENCY else _MAX_DIFFERENCE
    if not 0 <= limit.difference <= highest:
        unit = "milliseconds" if sli is JudgeSli.LATENCY else "0.01 for one percentage point"
        raise OptionError(
            option, f"has the difference {limit.difference:g}, must be from 0 to {highest:g}. Write {unit}"
        )
    return limit


def _parse_confidence(text: str) -> Confidence:
    option = "--confidence"
    if not text:
        return Confidence()
    named = any(sign in text for sign in "=:")
    values = _parse_pairs(option, text, ("worse", "fine")) if named else {"worse": _parse(option, text)}
    worse, fine = values.get("worse", 0.999), values.get("fine", 0.95)
    if not 0.95 <= worse <= 0.999999:
        raise OptionError(option, f"has {worse:g} for worse, must be from 0.95 to 0.999999. Write such as 0.999")
    if not 0.5 < fine <= 0.999:
        raise OptionError(option, f"has {fine:g} for fine, must be more than 0.5 and at most 0.999. Write such as 0.95")
    return Confidence.of(worse, fine)


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
        return parse_number(text.strip())
    except ValueError as error:
        raise OptionError(option, str(error)) from error
