"""Detection of arguments that Argo left in a block.

Argo replaces the arguments of a metric once, and those in an argument's value not at all. The text then reaches the
provider as part of a name that no OAP has.
"""

import re
from collections.abc import Iterator
from typing import Final

MAX_ARGUMENT: Final = 60
HINT: Final = (
    "Argo does not replace arguments in the value of another argument. Write each argument into the block itself,"
    " or pass the whole value as one argument"
)

# Only Argo's own subjects count. Other braces, as in the endpoint /x/{id}, are part of a name.
_ARGUMENT: Final = re.compile(r"\{\{-?\s*(?:args|inputs|templates)\s*[.\[].*?(?:\}\}|$)", re.DOTALL)


def find_unresolved_argument(text: str) -> str:
    """Return the first argument that was not replaced, such as `{{args.subset}}`; empty if there is none."""
    match = _ARGUMENT.search(text)
    if match is None:
        return ""
    argument = " ".join(match.group().split())
    return argument if len(argument) <= MAX_ARGUMENT else f"{argument[: MAX_ARGUMENT - 1]}…"


def unresolved_arguments(content: object) -> Iterator[tuple[str, str]]:
    """Yield the path of each text of a block with an unresolved argument, and the argument.

    Args:
        content: Value of parsed JSON, of any depth.
    """
    pending = [("", content)]
    while pending:
        path, value = pending.pop()
        match value:
            case str():
                if argument := find_unresolved_argument(value):
                    yield path or "the block", argument
            case dict():
                for key, inner in reversed(value.items()):
                    pending += ((f"{path}.{key}" if path else key, inner), (path, key))
            case list():
                pending += [(f"{path}[{at}]", inner) for at, inner in enumerate(value)]
