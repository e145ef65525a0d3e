"""Messages for pydantic's validation errors: the path in YAML, the problem and the next step."""

from collections.abc import Callable, Iterable

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from skywalking_provider.support.counts import format_count
from skywalking_provider.support.key_levels import find_level, find_places, match_key, yaml_keys
from skywalking_provider.support.suggestions import did_you_mean

_TEXT, _PARTS = "constrained-str", "ServiceParts"
_BRANCHES = frozenset({_TEXT, _PARTS})  # pydantic adds the branch of a union to the path; the YAML does not have it
_MAX_DETAILS = 10
_MAX_PLACES = 3
# Keys are pydantic's error types; placeholders are the limits of their context.
_MESSAGES = {
    "string_type": "is {found} instead of text{quote}",
    "string_too_short": "is empty",
    "string_too_long": "has {size} characters, the limit is {max_length}",
    "string_pattern_mismatch": "is {found}. Use letters, digits and _",
    "int_parsing": "is {found} instead of a whole number",
    "int_type": "is {found} instead of a whole number",
    "int_from_float": "is {found} instead of a whole number",
    "float_parsing": "is {found} instead of a number",
    "float_type": "is {found} instead of a number",
    "finite_number": "is {found} instead of a number",
    "greater_than": "is {found}, must be more than {gt:g}",
    "greater_than_equal": "is {found}, must be at least {ge:g}",
    "less_than_equal": "is {found}, must be at most {le:.12g}",
    "enum": "is {found}. Write {expected}",
    "literal_error": "is {found}. Write {expected}",
}


KeyHint = Callable[[type[BaseModel], str], str]
"""A function that returns the hint for an unknown key of a level, or an empty text for the general hint."""


def format_validation_error(
    error: ValidationError,
    root: type[BaseModel],
    *,
    reserved: Iterable[str] = (),
    key_hint: KeyHint = lambda _level, _key: "",
) -> str:
    """Format the errors as one line, ten at most: a message has 1024 characters, a block up to 5,000 errors.

    Args:
        error: Error of pydantic.
        root: Model that was validated. Its levels have the valid keys.
        reserved: Keys of the root that a later version will support.
        key_hint: Hints for the words of other tools.
    """
    reserved = frozenset(reserved)
    details = [detail for detail in error.errors(include_url=False) if not _is_other_branch(detail)]
    messages = [_format_detail(detail, root, reserved, key_hint) for detail in details[:_MAX_DETAILS]]
    if len(details) > _MAX_DETAILS:
        messages.append(format_count(len(details) - _MAX_DETAILS, "more error"))
    return "; ".join(messages)


def _format_detail(detail: ErrorDetails, root: type[BaseModel], reserved: frozenset[str], key_hint: KeyHint) -> str:
    path = ".".join(str(part) for part in detail["loc"] if part not in _BRANCHES)
    key = str(detail["loc"][-1]) if detail["loc"] else ""
    match detail["type"]:
        case "extra_forbidden" if key in reserved:
            return f"{path}: not supported yet by this version of the provider"
        case "extra_forbidden":
            level = find_level(root, detail["loc"][:-1]) or root
            return f"{path}: unknown key. {key_hint(level, key) or _general_hint(root, level, key)}"
        case "model_type":
            level = find_level(root, detail["loc"]) or root
            return f"{path}: is not a map. {_map_hint(level)}"  # the value may be a secret
        case "missing":
            return f"{path}: is required"
        case "value_error":
            message = str(detail["ctx"]["error"])  # `msg` has a prefix of pydantic
        case _:
            message = _describe_problem(detail)
    return f"{path}: {message}" if path else message


def _general_hint(root: type[BaseModel], level: type[BaseModel], key: str) -> str:
    """Return a hint from the keys of the level, or the other level that has the key."""
    known = yaml_keys(level)
    if own := match_key(known, key):
        return f"Did you mean {own}?"
    if places := find_places(root, key):
        return f"It belongs to {' or '.join(places[:_MAX_PLACES])}."
    if match_key(yaml_keys(root), key):
        return "It belongs to the first level."
    return did_you_mean(key, known, "keys")


def _map_hint(level: type[BaseModel]) -> str:
    required = [field.alias or name for name, field in level.model_fields.items() if field.is_required()]
    if not required:
        return did_you_mean("", yaml_keys(level), "keys")
    return f"Write {{{', '.join(f'{key}: …' for key in required)}}}."


def _is_other_branch(detail: ErrorDetails) -> bool:
    """Return whether an error belongs to the branch of a union that the author did not use."""
    if detail["loc"][-1:] == (_TEXT,):
        return isinstance(detail["input"], dict)
    return detail["loc"][-1:] == (_PARTS,) and detail["type"] == "model_type"


def _describe_problem(detail: ErrorDetails) -> str:
    """Return the problem of a value, and the expected form."""
    template = _MESSAGES.get(detail["type"])
    if template is None:
        return detail["msg"][:1].lower() + detail["msg"][1:]
    found = detail["input"]
    return template.format(
        **detail.get("ctx", {}), found=describe_value(found), size=len(str(found)), quote=_quote_hint(found)
    )


def describe_value(value: object) -> str:
    """Return a value as it is written in YAML."""
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
        return ". Quote it: YAML parses digits as a number, drops leading zeros, and reads 1e5 as 100000"
    return ". Quote it" if isinstance(value, bool) else ""


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
