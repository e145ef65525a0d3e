"""Pydantic's findings in the words of a person who wrote YAML: the path first, then what is wrong and the remedy."""

import difflib
from collections.abc import Iterable

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_BRANCHES = frozenset({"ServiceParts", "constrained-str"})  # pydantic names the branch of a union; an author does not


def describe(error: ValidationError, known: Iterable[str], *, later: Iterable[str] = ()) -> str:
    """Put all findings into one line.

    Args:
        error: What pydantic found.
        known: The keys that exist, for the nearest one to an unknown key.
        later: Keys that a later version will know.
    """
    known, later = tuple(known), frozenset(later)
    return "; ".join(_finding(detail, known, later) for detail in error.errors(include_url=False))


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys of a model as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _finding(detail: ErrorDetails, known: tuple[str, ...], later: frozenset[str]) -> str:
    path = ".".join(str(part) for part in detail["loc"] if part not in _BRANCHES)
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    match detail["type"]:
        case "extra_forbidden" if key in later:
            return f"{path}: not supported yet by this version of the provider"
        case "extra_forbidden":
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known keys are {', '.join(sorted(known))}"
            return f"{path}: unknown key; {hint}"
        case "missing":
            return f"{path}: is required"
        case "value_error":
            message = detail["msg"].removeprefix("Value error, ")
        case _:
            message = detail["msg"][:1].lower() + detail["msg"][1:]
            if detail["type"] == "literal_error":
                message += f", but it is {_short(detail['input'])}"
    return f"{path}: {message}" if path else message


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
