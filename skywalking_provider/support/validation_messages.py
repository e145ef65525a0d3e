"""Pydantic's findings in the words of a person who wrote YAML: the path first, then what is wrong and the remedy."""

from collections.abc import Iterable

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from skywalking_provider.support.suggestions import did_you_mean

_TEXT, _PARTS = "constrained-str", "ServiceParts"
_BRANCHES = frozenset({_TEXT, _PARTS})  # pydantic names the branch of a union; an author does not
# By pydantic's names of what is wrong, with the limits that it tells.
_MESSAGES = {
    "string_type": "is {found}, and text is meant{quote}",
    "string_too_short": "is empty",
    "string_too_long": "has {size} characters; at most {max_length} are read",
    "string_pattern_mismatch": "is {found}; letters, digits and _ are meant",
    "int_parsing": "is {found}, and a whole number is meant",
    "int_type": "is {found}, and a whole number is meant",
    "int_from_float": "is {found}, and a whole number is meant",
    "float_parsing": "is {found}, and a number is meant",
    "float_type": "is {found}, and a number is meant",
    "finite_number": "is {found}, and a number is meant",
    "greater_than": "is {found}, and must be more than {gt:g}",
    "greater_than_equal": "is {found}, and must be at least {ge:g}",
    "enum": "is {found}; write {expected}",
    "literal_error": "is {found}; write {expected}",
    "model_type": "has no keys, and some of its own are meant",  # what it is instead may be a secret
}


def format_validation_error(error: ValidationError, known: Iterable[str], *, reserved: Iterable[str] = ()) -> str:
    """Put all findings into one line.

    Args:
        error: What pydantic found.
        known: The keys that exist, for the nearest one to an unknown key.
        reserved: Keys that a later version will know.
    """
    known, reserved = tuple(known), frozenset(reserved)
    details = [detail for detail in error.errors(include_url=False) if not _is_other_branch(detail)]
    return "; ".join(_format_detail(detail, known, reserved) for detail in details)


def yaml_keys(model: type[BaseModel]) -> list[str]:
    """The keys of a model as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _format_detail(detail: ErrorDetails, known: tuple[str, ...], reserved: frozenset[str]) -> str:
    path = ".".join(str(part) for part in detail["loc"] if part not in _BRANCHES)
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    match detail["type"]:
        case "extra_forbidden" if key in reserved:
            return f"{path}: not supported yet by this version of the provider"
        case "extra_forbidden":
            return f"{path}: unknown key. {did_you_mean(key, known, 'keys')}"
        case "missing":
            return f"{path}: is required"
        case "value_error":
            message = detail["msg"].removeprefix("Value error, ")
        case _:
            message = _describe_problem(detail)
    return f"{path}: {message}" if path else message


def _is_other_branch(detail: ErrorDetails) -> bool:
    """Whether it is about what the author did not write: a name and its parts are tried both."""
    if detail["loc"][-1:] == (_TEXT,):
        return isinstance(detail["input"], dict)
    return detail["loc"][-1:] == (_PARTS,) and detail["type"] == "model_type"


def _describe_problem(detail: ErrorDetails) -> str:
    """What is wrong with a value, and what is meant."""
    words = _MESSAGES.get(detail["type"])
    if words is None:
        return detail["msg"][:1].lower() + detail["msg"][1:]
    found = detail["input"]
    return words.format(
        **detail.get("ctx", {}), found=_format_value(found), size=len(str(found)), quote=_quote_hint(found)
    )


def _format_value(value: object) -> str:
    """A value as it stands in YAML."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return _shorten(value)
        case list():
            return "a list"
        case dict():
            return "a map"
    return _shorten(value)


def _quote_hint(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ": quote it (YAML makes numbers of digits: it drops leading zeros, and 1e5 is 100000)"
    return ": quote it" if isinstance(value, bool) else ""


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
