"""Comments that accept a finding: `# skywalking-lint: ignore=ID reason`. No I/O.

- A comment behind a value accepts findings of its line.
- A comment on a line of its own accepts findings of the next line and of the lines that are indented deeper than it:
  a whole metric, for example.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.lint.findings import Finding, Place, Problem
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.yaml_nodes import Document, Node

_MARK: Final = "skywalking-lint"
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#\s*skywalking-lint\b:?[ \t]*(?P<directive>.*?)\s*$")
_IGNORE: Final = re.compile(r"ignore=(?P<ids>[^\s,]+(?:,[^\s,]+)*)(?:\s+(?P<reason>\S.*))?")
_NEVER_SUPPRESSED: Final = frozenset({Rule.SUPPRESSION_INVALID, Rule.SUPPRESSION_UNUSED})
_FORM: Final = "Write # skywalking-lint: ignore=ID reason"


@dataclass(frozen=True, slots=True)
class Suppression:
    """A valid comment.

    Attributes:
        rules: Rules whose findings it accepts.
        place: Place of the comment.
        first: First line that it covers.
        last: Last line that it covers.
    """

    rules: tuple[Rule, ...]
    place: Place
    first: int
    last: int

    def accepts(self, finding: Finding) -> bool:
        """Return whether the comment accepts a finding."""
        return finding.rule in self.rules and self.first <= finding.place.line <= self.last


def read_suppressions(text: str, documents: Sequence[Document]) -> tuple[list[Suppression], list[Problem]]:
    """Return the comments of a text, and the problems of invalid ones."""
    if _MARK not in text:
        return [], []
    lines = text.splitlines()
    texts = [node for document in documents for node in _texts(document.root)]
    found: list[Suppression] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        match = _COMMENT.search(line)
        if match is None:
            continue
        place = Place(number, match.start() + 1)
        if any(node.place < place < node.end for node in texts):
            continue
        rules, line_problems = _parse(match["directive"], place)
        problems += line_problems
        if rules:
            own_line = not line[: match.start()].strip()
            first, last = _covered(lines, number) if own_line else (number, number)
            found.append(Suppression(rules, place, first, last))
    return found, problems


def apply_suppressions(
    findings: Sequence[Finding], suppressions: Sequence[Suppression], file: str
) -> tuple[list[Finding], int]:
    """Return the findings that remain, with one for each unused comment, and the number of accepted ones."""
    used: set[Suppression] = set()
    kept: list[Finding] = []
    for finding in findings:
        accepting = [one for one in suppressions if finding.rule not in _NEVER_SUPPRESSED and one.accepts(finding)]
        used.update(accepting)
        if not accepting:
            kept.append(finding)
    unused = [one for one in suppressions if one not in used]
    accepted = len(findings) - len(kept)
    for one in unused:
        ids = ", ".join(one.rules)
        message = f"{ids} is not found in the lines that the comment covers"
        kept.append(Finding(Rule.SUPPRESSION_UNUSED, file, one.place, message, "Remove the comment"))
    return kept, accepted


def _parse(directive: str, place: Place) -> tuple[tuple[Rule, ...], list[Problem]]:
    match = _IGNORE.fullmatch(directive)
    if match is None:
        message = "the comment has no ignore=ID"
        return (), [Problem(Rule.SUPPRESSION_INVALID, message, _FORM, place=place)]
    known = {str(rule): rule for rule in Rule if rule not in _NEVER_SUPPRESSED}
    ids = match["ids"].split(",")
    problems = [_unknown_id(one, known, place) for one in ids if one not in known]
    if not match["reason"]:
        problems.append(Problem(Rule.SUPPRESSION_INVALID, "the comment has no reason", _FORM, place=place))
        return (), problems
    return tuple(known[one] for one in ids if one in known), problems


def _unknown_id(one: str, known: dict[str, Rule], place: Place) -> Problem:
    if one in _NEVER_SUPPRESSED:
        message = f"findings of {one} cannot be accepted"
        return Problem(Rule.SUPPRESSION_INVALID, message, "Correct the comment that it is about", place=place)
    hint = did_you_mean(one, known, "ids").removesuffix(".")
    return Problem(Rule.SUPPRESSION_INVALID, f"the id {one!r} is unknown", hint, place=place)


def _covered(lines: Sequence[str], comment: int) -> tuple[int, int]:
    """Return the first and the last line that a comment on its own line covers."""
    at = comment  # the index of the line behind it
    while at < len(lines) and (not lines[at].strip() or lines[at].lstrip().startswith("#")):
        at += 1
    if at >= len(lines):
        return comment, comment
    indent = _indent(lines[at])
    last = at
    for number in range(at + 1, len(lines)):
        line = lines[number]
        if line.strip() and (_indent(line) <= indent or line.startswith("---")):
            break
        last = number if line.strip() else last
    return at + 1, last + 1


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _texts(root: Node) -> Iterator[Node]:
    """Yield the quoted texts and the texts of several lines, in which # begins no comment."""
    pending, seen = [root], set[int]()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        pending += node.items
        pending += (one for _, one in node.keys.values())
        if node.style:
            yield node
