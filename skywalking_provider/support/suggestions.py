"""Suggestions of known names for an unknown one."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint: the names that are most alike."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    if near:
        return f"nearest are {', '.join(near)}"
    return f"known are {', '.join(names[:5])}{', …' if len(names) > 5 else ''}" if names else "it knows none"
