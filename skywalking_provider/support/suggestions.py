"""Suggestions for an unknown name: the most similar known names, or a list of the known ones.

The costs are bounded for every input, because names come from authors and from OAP servers. `rapidfuzz` compares a
name with 10,000 others in one to four milliseconds; difflib takes a second.
"""

import heapq
import string
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Final

MAX_COMPARED_NAMES: Final = 10_000
"""Known names of more than this number are not compared one by one: only a name with one typo is found among them."""
MAX_NAME_CHARACTERS: Final = 128
"""Longer names have no suggestion, and are not suggested: a comparison's cost is the product of the lengths."""

_MAX_SUGGESTIONS: Final = 3
_MIN_SIMILARITY: Final = 0.4
"""0 to 1, twice the common characters by the sum of the lengths. Mesh services differ in prefix and suffix only, so
that 0.6 finds too few."""
_SIMILARITY_MARGIN: Final = 0.1
"""Names that are this much less similar than the best one are not suggested."""
_MAX_LISTED_CHARACTERS: Final = 200
"""Length of a list of known names: a message has at most 1024 characters."""
_MAX_LISTED_NAMES: Final = 1 + (_MAX_LISTED_CHARACTERS + len(", ")) // len("a, ")
"""One more than fit, so that the list ends with an ellipsis."""
_MAX_SORTED_NAMES: Final = 1_000
"""Names up to this number are sorted, so that equally similar names of a set have one order in every process."""
_TYPED_CHARACTERS: Final = string.ascii_lowercase + string.digits + "-_.:|/"


def did_you_mean(name: str, known: Iterable[str], noun: str = "names") -> str:
    """Return a hint for an unknown name, as one sentence.

    Args:
        name: The unknown name.
        known: The valid names.
        noun: Plural noun for the valid names: "keys", "metrics".
    """
    names = known if isinstance(known, Collection) else tuple(known)
    if not names:
        return f"No {noun} are known."
    similar = _similar_names(name, names)
    if similar:
        return f"Did you mean {' or '.join(filter(None, (', '.join(similar[:-1]), similar[-1])))}?"
    if len(names) > MAX_COMPARED_NAMES:
        return describe_count(names, noun)
    return f"Known {noun}: {_join_within_limit(heapq.nsmallest(_MAX_LISTED_NAMES, set(names)))}"


def describe_count(known: Collection[str], noun: str) -> str:
    """Return the hint that needs no comparison of names."""
    if len(known) == 1:
        return f"Compare it with the known {noun}."
    return f"Compare it with the {len(known)} known {noun}."


def _similar_names(name: str, names: Collection[str]) -> list[str]:
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        return []
    if len(names) > MAX_COMPARED_NAMES:
        return _names_with_one_typo(name, names)
    candidates = [one for one in names if len(one) <= MAX_NAME_CHARACTERS]
    if len(candidates) <= _MAX_SORTED_NAMES:
        candidates = sorted(set(candidates), reverse=True)
    from rapidfuzz import process  # noqa: PLC0415 - 2 MiB, for an unknown name only
    from rapidfuzz.distance import Indel  # noqa: PLC0415

    matches = process.extract(
        name, candidates, scorer=Indel.normalized_similarity, limit=_MAX_SUGGESTIONS, score_cutoff=_MIN_SIMILARITY
    )
    best = max((score for _, score, _ in matches), default=0.0)
    return [match for match, score, _ in matches if score >= best - _SIMILARITY_MARGIN]


def _names_with_one_typo(name: str, names: Collection[str]) -> list[str]:
    """Look up all names that differ by one edit. The cost depends on the length of the name only."""
    if not isinstance(names, Mapping | AbstractSet):  # each look-up would compare all names
        return []
    return heapq.nsmallest(_MAX_SUGGESTIONS, {edited for edited in _edits(name) if edited in names})


def _edits(name: str) -> Iterator[str]:
    """Yield the names that differ by one inserted, removed, replaced or exchanged character."""
    characters = "".join(dict.fromkeys(_TYPED_CHARACTERS + name))
    for at in range(len(name) + 1):
        head, tail = name[:at], name[at:]
        yield head + tail[1:]
        for character in characters:
            yield head + character + tail
            yield head + character + tail[1:]
    for at, (left, right) in enumerate(pairwise(name)):
        yield name[:at] + right + left + name[at + 2 :]


def _join_within_limit(names: list[str]) -> str:
    listed: list[str] = []
    for name in names:
        if listed and len(", ".join([*listed, name])) > _MAX_LISTED_CHARACTERS:
            return f"{', '.join(listed)}, …"
        listed.append(name if len(name) <= _MAX_LISTED_CHARACTERS else f"{name[:_MAX_LISTED_CHARACTERS]}…")
    return f"{', '.join(listed)}."
