"""How many series travel in one request: inside what OAPs were measured to take. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from skywalking_provider.errors import Rejection, RejectionKind
from skywalking_provider.model import Window
from skywalking_provider.oap.api.metric_values import SeriesRequest

_MQE_FIELDS: Final = 11
_MQE_TOKENS: Final = 48
_V2_FIELDS: Final = 6
_V2_TOKENS: Final = 40
_HEAD_TOKENS: Final = 16
_LABELS: Final = 5  # the percentiles of one metric


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one request may have.

    Attributes:
        fields: Selected fields, OAP's maxQueryComplexity: 1,000 from 9.1 to 9.5, 3,000 since.
        tokens: Of the text, graphql-java's limit.
        points: Buckets of all series in the answer, so that it stays below maxAnswerBytes.
    """

    fields: int = 1_000
    tokens: int = 15_000
    points: int = 65_536


def max_batch_size(series_requests: Sequence[SeriesRequest], window: Window, limits: BatchLimits, *, mqe: bool) -> int:
    """How many of these series one request bears; at least one."""
    fields, tokens = (_MQE_FIELDS, _MQE_TOKENS) if mqe else (_V2_FIELDS, _V2_TOKENS)
    labels = _LABELS if any(one.labeled for one in series_requests) else 1
    points = max(1, window.buckets) * labels
    return max(1, min(limits.fields // fields, (limits.tokens - _HEAD_TOKENS) // tokens, limits.points // points))


def chunks(series_requests: Sequence[SeriesRequest], max_size: int) -> list[Sequence[SeriesRequest]]:
    """As few parts as possible of at most so many series, none much smaller than the others, in order."""
    count = -(-len(series_requests) // max_size)
    borders = [-(-len(series_requests) * at // count) for at in range(count + 1)]
    return [series_requests[start:end] for start, end in pairwise(borders)]


def tightened_limits(limits: BatchLimits, rejection: Rejection | None, batch_size: int, *, mqe: bool) -> BatchLimits:
    """Return the limits after an OAP rejected a request; the same if its size was not the cause.

    Args:
        limits: Those that were taken for its.
        rejection: Cause that OAP names.
        batch_size: How many series the request had.
        mqe: Whether they were expressions.
    """
    match rejection:
        case Rejection(RejectionKind.COMPLEXITY, int(limit)):
            return replace(limits, fields=min(limits.fields, limit))
        case Rejection(RejectionKind.TOKENS):
            tokens = _MQE_TOKENS if mqe else _V2_TOKENS
            return replace(limits, tokens=min(limits.tokens, _HEAD_TOKENS + batch_size * tokens // 2))
    return limits
