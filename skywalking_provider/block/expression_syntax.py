"""Syntax check of metrics query expressions (MQE), without an OAP.

OAP's parser stops at the end of a complete expression and ignores the rest: it reads `service_cpm garbage` as
`service_cpm`. This module therefore checks the order of the tokens. Source: SkyWalking's MQELexer.g4 and MQEParser.g4.
"""

import re
from collections.abc import Iterator

MAX_EXPRESSION = 4096

# The pattern does not begin with blanks: a search for it in a long run of them would take quadratic time.
_TOKEN = re.compile(
    r"""
      (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<value>\d+(?:\.\d+)? | '[^']*' | "[^"]*")
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<comma>,)
    | (?P<operator>==|!=|>=|<=|&&|\|\||[-+*/%<>=])
    """,
    re.VERBOSE,
)
_BLANKS = re.compile(r"\s*")
_RANKINGS = frozenset({"top_n", "top_n_of"})
_BOOLEAN = frozenset({"&&", "||"})
_COMPLETE = ("name", "value", "close")
_PAIRS = {"(": ")", "[": "]", "{": "}"}


def check_expression(text: str) -> str:
    """Return an expression if OAP parses all of it.

    Raises:
        ValueError: OAP would ignore a part. The message has its column.
    """
    if len(text) > MAX_EXPRESSION:
        raise ValueError(f"has {len(text)} characters; at most {MAX_EXPRESSION} are allowed")
    open_brackets: list[str] = []
    at, previous = _skip_blanks(text, 0), ""  # the kind of the previous token decides which may follow
    while at < len(text):
        token = _TOKEN.match(text, at)
        if not token or token.lastgroup is None:
            word = text[at:].split(maxsplit=1)[0][:20]
            raise ValueError(f"column {_column(text, at)}: {word!r} is not part of an expression")
        kind, word, column = token.lastgroup, token.group(token.lastgroup), token.start(token.lastgroup) + 1
        if problem := _placement_error(kind, word, previous, open_brackets):
            raise ValueError(f"column {column}: {word!r} {problem}; OAP would ignore it")
        if kind == "open":
            open_brackets.append(_PAIRS[word])
        elif kind == "close":
            open_brackets.pop()
        previous, at = kind, _skip_blanks(text, token.end())
    if open_brackets:
        raise ValueError(f"{open_brackets[-1]!r} is missing at the end")
    if previous not in _COMPLETE:
        raise ValueError("the expression is incomplete at its end")
    return text


def extract_metric_names(text: str) -> list[str]:
    """Return the names in an expression that can be metrics, keywords such as `asc` included."""
    return [name for name, follows, in_labels in _scan_names(text) if follows != "(" and not in_labels]


def extract_labels(text: str) -> list[tuple[str, str, str]]:
    """Return the labels that an expression selects: metric, key and value. `{p='50,99'}` selects two values."""
    selected = []
    metric, key, in_labels, previous = "", "", False, ""
    for token in _TOKEN.finditer(text):
        kind, word = token.lastgroup or "", token.group()
        if kind == "open":
            in_labels = word == "{"
            metric = previous if in_labels else ""
        elif kind == "close":
            in_labels = False
        elif in_labels and kind == "name":
            key = word
        elif in_labels and kind == "value":
            values = (value.strip() for value in word.strip("'\"").split(","))
            selected += [(metric, key, value) for value in values if value]
        previous = word if kind == "name" else ""
    return selected


def ranked_metrics(text: str) -> list[str]:
    """Return the metrics that an expression ranks: the first argument of each `top_n`."""
    words = [token.group() for token in _TOKEN.finditer(text)]
    return [
        third
        for first, second, third in zip(words, words[1:], words[2:], strict=False)
        if (first, second) == ("top_n", "(")
    ]


def called_functions(text: str) -> list[str]:
    """Return the names of the functions that an expression calls, in its order."""
    return list(dict.fromkeys(name for name, follows, _ in _scan_names(text) if follows == "("))


def boolean_operators(text: str) -> list[str]:
    """Return the boolean operators of an expression, `&&` and `||`, each once."""
    words = (token.group() for token in _TOKEN.finditer(text) if token.lastgroup == "operator")
    return list(dict.fromkeys(word for word in words if word in _BOOLEAN))


def ranking_function(text: str) -> str:
    """Return the name of the first function that ranks all entities of a service; empty if there is none."""
    return next((name for name, follows, _ in _scan_names(text) if follows == "(" and name in _RANKINGS), "")


def _scan_names(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield every name of a checked expression, the character after it, and whether it is between braces."""
    in_labels = False
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "open" | "close":
                in_labels = token["open"] == "{"
            case "name":
                following = _skip_blanks(text, token.end())
                yield token["name"], text[following : following + 1], in_labels


def _skip_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _placement_error(kind: str, word: str, previous: str, open_brackets: list[str]) -> str:
    """Return why a token is misplaced; empty if it is not."""
    match kind:
        case "name" | "value" if previous in _COMPLETE:
            return "follows a complete expression"
        case "open" if previous in _COMPLETE and not (previous == "name" and word in "({"):
            return "follows a complete expression"
        case "close" if not open_brackets or open_brackets[-1] != word:
            return "has no opening bracket"
        case "comma" if not open_brackets:
            return "is outside brackets"
    return ""


def _column(text: str, at: int) -> int:
    return at + len(text[at:]) - len(text[at:].lstrip()) + 1
