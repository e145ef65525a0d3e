"""Metrics query expressions, checked as far as it can be without an OAP.

OAP's parser stops where a complete expression ends and ignores the rest: `service_cpm garbage` is `service_cpm`. So the
order of tokens is checked here. Source: SkyWalking's MQELexer.g4 and MQEParser.g4.
"""

import re

MAX_EXPRESSION = 4096

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<operand>[A-Za-z_][A-Za-z0-9_]* | \d+(?:\.\d+)? | '[^']*' | "[^"]*")
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<comma>,)
    | (?P<operator>==|!=|>=|<=|&&|\|\||[-+*/%<>=])
    )""",
    re.VERBOSE,
)
_PAIRS = {"(": ")", "[": "]", "{": "}"}


def check_expression(text: str) -> str:
    """Refuse what OAP would cut off silently.

    Raises:
        ValueError: What is wrong, with its column.
    """
    if len(text) > MAX_EXPRESSION:
        raise ValueError(f"has {len(text)} characters; at most {MAX_EXPRESSION} are sent")
    open_brackets: list[str] = []
    at, complete = (
        0,
        False,
    )  # complete: an operand ended here, so that only an operator, a comma or a bracket may follow
    end = len(text.rstrip())
    while at < end:
        token = _TOKEN.match(text, at)
        if not token:
            raise ValueError(
                f"column {_column(text, at)}: {text[at:].split(maxsplit=1)[0][:20]!r} is no part of an expression"
            )
        kind, word = token.lastgroup, token.group(token.lastgroup or 0)
        column = token.start(token.lastgroup or 0) + 1
        match kind:
            case "operand" if complete:
                raise ValueError(f"column {column}: {word!r} follows a complete expression; OAP would ignore it")
            case "operand":
                complete = True
            case "open":
                open_brackets.append(_PAIRS[word])
                complete = False
            case "close":
                if not open_brackets or open_brackets.pop() != word:
                    raise ValueError(f"column {column}: {word!r} closes nothing; OAP would ignore what follows")
                complete = True
            case _:
                complete = False
        at = token.end()
    if open_brackets:
        raise ValueError(f"{open_brackets[-1]!r} is missing at the end")
    return text


def _column(text: str, at: int) -> int:
    return at + len(text[at:]) - len(text[at:].lstrip()) + 1
