"""Rules that select metrics by their names: `dryRun` and `measurementRetention`.

Source: argo-rollouts utils/analysis/helpers.go. A rule is a regular expression of Go that matches a part of the name.
An invalid expression matches no name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import re2

# RE2 has the syntax of Go's regular expressions, and one expression more: \C, a single byte.
_ONLY_IN_RE2: Final = re2.compile(r"(?:^|[^\\])(?:\\\\)*\\C")
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False
_MAX_RULE_CHARACTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class NameRules:
    """The rules of one list.

    Attributes:
        key: Key of the list in `spec`.
        title: Name of such a rule in Argo's messages.
        rules: Expressions in their order.
    """

    key: str
    title: str
    rules: tuple[str, ...]


def dry_run_rules(rules: Sequence[str]) -> NameRules:
    """Return the rules of `spec.dryRun`."""
    return NameRules("dryRun", "Dry-Run", tuple(rules))


def retention_rules(rules: Sequence[str]) -> NameRules:
    """Return the rules of `spec.measurementRetention`."""
    return NameRules("measurementRetention", "Measurement Retention", tuple(rules))


def select_names(rules: NameRules, names: Sequence[str]) -> frozenset[str]:
    """Return the names that a rule matches."""
    return frozenset(name for rule in rules.rules for name in names if _matches(rule, name))


def find_repeated_rule(rules: NameRules) -> str:
    """Return Argo's error for a repeated rule, which prevents the creation of a run; empty for none."""
    repeated = next((rule for at, rule in enumerate(rules.rules) if rule in rules.rules[:at]), None)
    return "" if repeated is None else f"two {rules.title} metric rules have the same name '{repeated}'"


def find_unmatched_rules(rules: NameRules, names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the position of each rule that matches no name, and Argo's error. Argo reports the first of them."""
    for at, rule in enumerate(rules.rules):
        if not any(_matches(rule, name) for name in names):
            yield at, f"{rules.key}[{at}]: Rule didn't match any metric name(s)"


def _matches(rule: str, name: str) -> bool:
    if len(rule) > _MAX_RULE_CHARACTERS or _ONLY_IN_RE2.search(rule):
        return False
    try:
        return re2.compile(rule, _OPTIONS).search(name) is not None
    except re2.error:
        return False
