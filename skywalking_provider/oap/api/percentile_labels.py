"""Labels of percentiles, which differ between OAP versions, and the hints that translate one form to the other.

OAP before 10 labels the percentiles of a metric by position: "4", in MQE {_='4'}. OAP 10 and newer label them by rank:
"{p=99}", in MQE {p='99'}; their V2 read returns series only if it requests all labels.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

RANK_BY_POSITION: Final = {"0": "50", "1": "75", "2": "90", "3": "95", "4": "99"}
POSITION_KEY: Final = "_"
RANK_KEY: Final = "p"

Label = tuple[str, str]
"""Key and value of one label. The labels of V2 reads without a key have POSITION_KEY."""

_POSITION_BY_RANK: Final = {rank: position for position, rank in RANK_BY_POSITION.items()}
_RANK: Final = re.compile(r"(?<!\d)(50|75|90|95|99)(?!\d)")


def normalise_percentile(label: str) -> str:
    """Return the rank of a position; any other label as it is."""
    return RANK_BY_POSITION.get(label, label)


def is_percentile(metric: str, labels: Collection[Label]) -> bool:
    """Return whether these labels of a metric are percentiles: OAP writes all of them for each bucket, and no other."""
    if all(key == RANK_KEY and value in _POSITION_BY_RANK for key, value in labels):
        return True
    return "percentile" in metric and all(key == POSITION_KEY and value in RANK_BY_POSITION for key, value in labels)


def mqe_label_hint(requested: Iterable[str], *, by_position: bool) -> str:
    """Return the labels of percentiles in an expression, and the one that was probably meant.

    Args:
        requested: Values of the unknown labels.
        by_position: Whether the OAP labels percentiles by position.
    """
    ranks = _guess_ranks(requested) or ("99",)
    if by_position:
        values = ",".join(_POSITION_BY_RANK[rank] for rank in ranks)
        return f"Write {{_='{values}'}} for {_join_ranks(ranks)}: {_POSITIONS}"
    return f"Write {{p='{','.join(ranks)}'}}: the labels of OAP 10 and newer are p='50', '75', '90', '95' and '99'"


def v2_label_hint(requested: Iterable[str], *, by_position: bool) -> str:
    """Return the labels of percentiles in a V2 read, and the one that was probably meant. Arguments as above."""
    ranks = _guess_ranks(requested) or ("99",)
    if by_position:
        values = ", ".join(f'"{_POSITION_BY_RANK[rank]}"' for rank in ranks)
        return f"Write labels: [{values}] for {_join_ranks(ranks)}: {_POSITIONS}"
    return (
        'Write labels: []: OAP 10 and newer return series only for all labels, which are "{p=50}", "{p=75}", "{p=90}",'
        ' "{p=95}" and "{p=99}"'
    )


_POSITIONS: Final = "OAP before 10 labels p50, p75, p90, p95 and p99 with 0 to 4"


def _guess_ranks(requested: Iterable[str]) -> tuple[str, ...]:
    """Return the ranks in labels of another version or tool: "4", "P99", "{p=99}", "0.99"."""
    ranks = (RANK_BY_POSITION.get(text) or (match[1] if (match := _RANK.search(text)) else "") for text in requested)
    return tuple(dict.fromkeys(rank for rank in ranks if rank))


def _join_ranks(ranks: Iterable[str]) -> str:
    return ", ".join(f"p{rank}" for rank in ranks)
