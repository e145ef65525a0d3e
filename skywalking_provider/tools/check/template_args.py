"""Replacement of template arguments in a metric, as Argo does it: once, in every text, as text. No I/O.

Source: argo-rollouts utils/template (ResolveArgs) and utils/analysis (ResolveMetricArgs): the whole metric is written
as JSON, every `{{…}}` in it is replaced, and it is read again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.check.template import Template, TemplateError

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
# Argo encodes a value by strconv.Quote. It escapes these characters in a form that JSON rejects, and the run fails.
_NOT_IN_JSON = re.compile(r"[\x00-\x07\x0b\x0e-\x1f\x7f]")


def parse_arg_flags(pairs: Sequence[str]) -> dict[str, str]:
    """Parse the values of `-a name=value`.

    Raises:
        TemplateError: A value has no `=`.
    """
    problems = [f"-a {pair}: is not name=value" for pair in pairs if "=" not in pair]
    if problems:
        raise TemplateError(*problems)
    return dict(pair.split("=", 1) for pair in pairs)


def check_names(names: Iterable[str], templates: Sequence[Template]) -> None:
    """Reject arguments that no template declares. Argo would ignore them.

    Raises:
        TemplateError: An argument is not declared; the message suggests similar names.
    """
    known = sorted({argument.name for template in templates for argument in template.arguments})
    unknown = [name for name in names if name not in known]
    if unknown:
        raise TemplateError(
            *(f"-a {name}: not declared in spec.args. {did_you_mean(name, known, 'arguments')}" for name in unknown)
        )


def select_values(template: Template, arg_values: Mapping[str, str]) -> dict[str, str]:
    """Return the known values of the template's arguments, without secrets: of the command line, else the default."""
    values = ((one.name, arg_values.get(one.name, one.value)) for one in template.arguments if not one.secret)
    return {name: value for name, value in values if value is not None}


def find_missing_arguments(template: Template, node: Any, values: Mapping[str, str]) -> list[str]:
    """Return the names of the declared arguments that a part of a template uses and that have no value."""
    used = set(_iter_used_names(node))
    return [one.name for one in template.arguments if one.name in used and not one.secret and one.name not in values]


def _iter_used_names(node: Any) -> Iterator[str]:
    match node:
        case str():
            yield from (tag.strip().removeprefix("args.") for tag in _TAG.findall(node))
        case dict():
            for key, value in node.items():
                yield from _iter_used_names(key)
                yield from _iter_used_names(value)
        case list():
            for value in node:
                yield from _iter_used_names(value)


def replace_known_arguments(text: str, values: Mapping[str, str], secrets: frozenset[str]) -> str | None:
    """Return a text with its arguments replaced, or None if one has no value. A secret's value is "temp-for-secret".

    Argo validates a template with this value in place of secrets.
    """
    known = {**values, **dict.fromkeys(secrets, "temp-for-secret")}
    tags = [tag.strip() for tag in _TAG.findall(text)]
    if not all(tag.startswith("args.") and tag.removeprefix("args.") in known for tag in tags):
        return None
    return _TAG.sub(lambda match: known[match[1].strip().removeprefix("args.")], text)


def resolve_arguments(node: Any, values: Mapping[str, str], secrets: frozenset[str], path: str) -> Any:
    """Return a part of a metric with its arguments replaced, also in keys.

    Args:
        node: Part of the metric.
        values: Values of arguments by name.
        secrets: Names of the arguments that come from a Secret.
        path: Path of the part in the metric, for errors.

    Raises:
        TemplateError: Argo cannot resolve an argument, or the bridge rejects it.
    """
    match node:
        case str():
            return _replace_arguments(node, values, secrets, path)
        case dict():
            return {
                resolve_arguments(key, values, secrets, path): resolve_arguments(
                    value, values, secrets, f"{path}.{key}" if path else key
                )
                for key, value in node.items()
            }
        case list():
            return [resolve_arguments(value, values, secrets, f"{path}[{at}]") for at, value in enumerate(node)]
    return node


def _replace_arguments(text: str, values: Mapping[str, str], secrets: frozenset[str], path: str) -> str:
    def value_for(match: re.Match[str]) -> str:
        name = match[1].strip().removeprefix("args.")
        if name.startswith("{"):
            raise TemplateError(
                f"{path}: Argo reads {match[0]} as an argument named {name!r}. Put the outer braces into the value"
            )
        if name in secrets:
            raise TemplateError(
                f"{path}: the argument {name} is a secret, which the bridge rejects (SECRET_IN_BLOCK)."
                " Write credentials into a backend of the provider's configuration"
            )
        if not match[1].strip().startswith("args.") or name not in values:
            hint = did_you_mean(name, values, "arguments")
            raise TemplateError(f"{path}: {match[0]} is not an argument of the template. {hint}")
        value = values[name]
        if _NOT_IN_JSON.search(value):
            raise TemplateError(f"{path}: the value of {name} has a control character, which Argo cannot encode")
        return value

    resolved = _TAG.sub(value_for, text)
    if "{{" in _TAG.sub("", text):
        raise TemplateError(f"{path}: an argument is not closed. Write {{{{args.name}}}}")
    return resolved
