"""How many series travel in one request: inside what OAPs were measured to take. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from skywalking_provider.forms.metrics import Wanted
from skywalking_provider.model import Window

_MQE_FIELDS: Final = 11
_MQE_TOKENS: Final = 48
_V2_FIELDS: Final = 6
_V2_TOKENS: Final = 40
_HEAD_TOKENS: Final = 16
_LABELS: Final = 5  # the percentiles of one metric

_COMPLEXITY: Final = re.compile(r"complexity exceeded \d+ > (\d+)")
_TOKENS: Final = re.compile(r"tokens have been presented")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may have.

    Attributes:
        fields: Selected fields, OAP's maxQueryComplexity: 1,000 from 9.1 to 9.5, 3,000 since.
        tokens: Of the text, graphql-java's limit.
        points: Buckets of all series in the answer, so that it stays below maxAnswerBytes.
    """

    fields: int = 1_000
    tokens: int = 15_000
    points: int = 65_536


def fitting(wanted: Sequence[Wanted], window: Window, limits: Limits, *, mqe: bool) -> int:
    """How many of these series one request bears; at least one."""
    fields, tokens = (_MQE_FIELDS, _MQE_TOKENS) if mqe else (_V2_FIELDS, _V2_TOKENS)
    labels = _LABELS if any(one.labeled for one in wanted) else 1
    points = max(1, window.buckets) * labels
    return max(1, min(limits.fields // fields, (limits.tokens - _HEAD_TOKENS) // tokens, limits.points // points))


def parted(wanted: Sequence[Wanted], most: int) -> list[Sequence[Wanted]]:
    """As few parts as possible of at most so many series, none much smaller than the others, in order."""
    count = -(-len(wanted) // most)
    borders = [-(-len(wanted) * at // count) for at in range(count + 1)]
    return [wanted[start:end] for start, end in pairwise(borders)]


def learned(limits: Limits, words: str, asked: int, *, mqe: bool) -> Limits:
    """The limits after an OAP refused a request in these words.

    Args:
        limits: Those that were taken for its.
        words: Its error.
        asked: How many series the request had.
        mqe: Whether they were expressions.
    """
    if told := _COMPLEXITY.search(words):
        return replace(limits, fields=min(limits.fields, int(told[1])))
    if _TOKENS.search(words):
        tokens = _MQE_TOKENS if mqe else _V2_TOKENS
        return replace(limits, tokens=min(limits.tokens, _HEAD_TOKENS + asked * tokens // 2))
    return limits
