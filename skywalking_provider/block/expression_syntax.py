"""Metrics query expressions, checked as far as it can be without an OAP.

OAP's parser stops where a complete expression ends and ignores the rest: `service_cpm garbage` is `service_cpm`. So the
order of tokens is checked here. Source: SkyWalking's MQELexer.g4 and MQEParser.g4.
"""

import re
from collections.abc import Iterator

MAX_EXPRESSION = 4096

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<value>\d+(?:\.\d+)? | '[^']*' | "[^"]*")
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<comma>,)
    | (?P<operator>==|!=|>=|<=|&&|\|\||[-+*/%<>=])
    )""",
    re.VERBOSE,
)
_RANKINGS = frozenset({"top_n", "top_n_of"})
_COMPLETE = ("name", "value", "close")
_PAIRS = {"(": ")", "[": "]", "{": "}"}


def check_expression(text: str) -> str:
    """Refuse what OAP would cut off silently.

    Raises:
        ValueError: What is wrong, with its column.
    """
    if len(text) > MAX_EXPRESSION:
        raise ValueError(f"has {len(text)} characters; at most {MAX_EXPRESSION} are sent")
    open_brackets: list[str] = []
    at, before = 0, ""  # the kind of the token before: what may follow depends on it
    end = len(text.rstrip())
    while at < end:
        token = _TOKEN.match(text, at)
        if not token or token.lastgroup is None:
            word = text[at:].split(maxsplit=1)[0][:20]
            raise ValueError(f"column {_column(text, at)}: {word!r} is no part of an expression")
        kind, word, column = token.lastgroup, token.group(token.lastgroup), token.start(token.lastgroup) + 1
        if trouble := _placement_error(kind, word, before, open_brackets):
            raise ValueError(f"column {column}: {word!r} {trouble}; OAP would ignore it")
        if kind == "open":
            open_brackets.append(_PAIRS[word])
        elif kind == "close":
            open_brackets.pop()
        before, at = kind, token.end()
    if open_brackets:
        raise ValueError(f"{open_brackets[-1]!r} is missing at the end")
    if before not in _COMPLETE:
        raise ValueError("something is missing at the end")
    return text


def extract_metric_names(text: str) -> list[str]:
    """The names in an expression that stand where a metric does; words such as `asc` are among them."""
    return [name for name, follows, in_labels in _scan_names(text) if follows != "(" and not in_labels]


def ranking_function(text: str) -> str:
    """The function that ranks entities by itself, whatever entity is given; empty where there is none."""
    return next((name for name, follows, _ in _scan_names(text) if follows == "(" and name in _RANKINGS), "")


def _scan_names(text: str) -> Iterator[tuple[str, str, bool]]:
    """Every name of a checked expression, with the character behind it, and whether it stands between braces."""
    in_labels = False
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "open" | "close":
                in_labels = token["open"] == "{"
            case "name":
                yield token["name"], text[token.end() :].lstrip()[:1], in_labels


def _placement_error(kind: str, word: str, previous: str, open_brackets: list[str]) -> str:
    """Why a token cannot stand where it does; empty where it can."""
    match kind:
        case "name" | "value" if previous in _COMPLETE:
            return "follows a complete expression"
        case "open" if previous in _COMPLETE and not (previous == "name" and word in "({"):
            return "follows a complete expression"
        case "close" if not open_brackets or open_brackets[-1] != word:
            return "closes nothing"
        case "comma" if not open_brackets:
            return "stands outside brackets"
    return ""


def _column(text: str, at: int) -> int:
    return at + len(text[at:]) - len(text[at:].lstrip()) + 1
