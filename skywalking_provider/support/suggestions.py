"""Suggestions for an unknown name: the most similar known names, or a list of the known ones."""

import difflib
from collections.abc import Iterable

_MAX_SUGGESTIONS = 3
_MIN_SIMILARITY = 0.4
"""Ratio of difflib, 0 to 1. Mesh services differ in prefix and suffix only: 0.6, the default, finds too few."""
_SIMILARITY_MARGIN = 0.1
"""Names that are this much less similar than the best one are not suggested."""
_MAX_LISTED_CHARACTERS = 200
"""Length of a list of known names: a message has at most 1024 characters."""


def did_you_mean(name: str, known: Iterable[str], noun: str = "names") -> str:
    """Return a hint for an unknown name, as one sentence.

    Args:
        name: The unknown name.
        known: The valid names.
        noun: Plural noun for the valid names: "keys", "metrics".
    """
    names = sorted(set(known))
    if not names:
        return f"No {noun} are known."
    similar = _similar_names(name, names)
    if not similar:
        return f"Known {noun}: {_join_within_limit(names)}"
    return f"Did you mean {' or '.join(filter(None, (', '.join(similar[:-1]), similar[-1])))}?"


def _similar_names(name: str, names: list[str]) -> list[str]:
    matches = difflib.get_close_matches(name, names, n=_MAX_SUGGESTIONS, cutoff=_MIN_SIMILARITY)
    ratios = {match: difflib.SequenceMatcher(None, match, name).ratio() for match in matches}
    best = max(ratios.values(), default=0.0)
    return [match for match in matches if ratios[match] >= best - _SIMILARITY_MARGIN]


def _join_within_limit(names: list[str]) -> str:
    listed: list[str] = []
    for name in names:
        if listed and len(", ".join([*listed, name])) > _MAX_LISTED_CHARACTERS:
            return f"{', '.join(listed)}, …"
        listed.append(name)
    return f"{', '.join(listed)}."
