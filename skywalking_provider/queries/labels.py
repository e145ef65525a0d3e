"""Comparison of the labels that a read requests with those that the OAP returned for the same metric and window.

For a label that it does not know, OAP returns zeros (9.2), absent values (9.5 and newer) or nothing (10 and newer).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.percentile_labels import (
    POSITION_KEY,
    Label,
    is_percentile,
    mqe_label_hint,
    v2_label_hint,
)

_MAX_LABELS = 5
_MAX_METRICS = 4  # of one expression: each is one more read
_MAX_LABEL = 40


def labeled_metrics(labels: Sequence[tuple[str, str, str]]) -> tuple[str, ...]:
    """Return the first metrics whose labels an expression selects."""
    return tuple(dict.fromkeys(metric for metric, _, _ in labels if metric))[:_MAX_METRICS]


def check_selected_labels(
    name: str, selected: Sequence[tuple[str, str, str]], known: Mapping[str, AbstractSet[Label]]
) -> str:
    """Check the labels that an expression selects.

    Args:
        name: The expression, or the response name of the read.
        selected: Metric, key and value of each label.
        known: Labels of each metric in the window; empty if it has no data.

    Returns:
        The likely cause of missing data; empty if all labels are known.

    Raises:
        ProviderError: QUERY_INVALID, if a metric is a percentile and has no such label.
    """
    problems = []
    for metric, labels in known.items():
        requested = [(key, value) for one, key, value in selected if one == metric]
        problems.append(_check_mqe_labels(name, metric, requested, labels))
    return "; ".join(problem for problem in problems if problem)


def parse_v2_label(label: str) -> tuple[Label, ...]:
    """Return the labels of a V2 series: "4" has no key, "{p=99,code=200}" has two labels."""
    if not (label.startswith("{") and label.endswith("}")):
        return ((POSITION_KEY, label),)
    pairs = (pair.partition("=") for pair in label[1:-1].split(","))
    return tuple((key, value) for key, _, value in pairs)


def check_v2_labels(name: str, metric: str, requested: Sequence[str], known: Collection[Label]) -> str:
    """Check the labels of a V2 read.

    Args:
        name: Response name of the read.
        metric: Name of the metric.
        requested: Labels of the read; none for all.
        known: Labels of the metric in the window; empty if it has no data.

    Returns:
        The likely cause of missing data; empty if all labels are known.

    Raises:
        ProviderError: QUERY_INVALID, if the metric is a percentile and has no such label.
    """
    unknown = [label for label in requested if (POSITION_KEY, label) not in known] if known else []
    return _check(name, metric, [repr(label[:_MAX_LABEL]) for label in unknown], unknown, known, v2_label_hint)


def _check_mqe_labels(name: str, metric: str, requested: Sequence[Label], known: Collection[Label]) -> str:
    unknown = [label for label in requested if label not in known] if known else []
    texts = [f"{key}={value[:_MAX_LABEL]!r}" for key, value in unknown]
    return _check(name, metric, texts, [value for _, value in unknown], known, mqe_label_hint)


def _check(
    name: str,
    metric: str,
    texts: Sequence[str],
    unknown: Sequence[str],
    known: Collection[Label],
    hint: Callable[..., str],
) -> str:
    if not unknown:
        return ""
    message = f"{name}: {metric} has no label {', '.join(texts[:_MAX_LABELS])}"
    if is_percentile(metric, known):
        by_position = next(iter(known))[0] == POSITION_KEY
        raise ProviderError(Reason.QUERY_INVALID, message, hint(unknown, by_position=by_position))
    others = ", ".join(f"{key}={value[:_MAX_LABEL]!r}" for key, value in sorted(known)[:_MAX_LABELS])
    return f"{message} in these minutes, but {others}{', …' if len(known) > _MAX_LABELS else ''}"
