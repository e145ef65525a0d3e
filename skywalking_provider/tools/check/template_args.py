"""Arguments as Argo puts them into a metric: into every text of it, once, as text. Pure.

Source: argo-rollouts utils/template (ResolveArgs) and utils/analysis (ResolveMetricArgs): the whole metric is written
as JSON, every `{{…}}` in it is replaced, and it is read again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.check.template import Template, TemplateError

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
# Argo writes a value as Go does (strconv.Quote); these become escapes that JSON does not have, and the run an Error.
_NOT_IN_JSON = re.compile(r"[\x00-\x07\x0b\x0e-\x1f\x7f]")


def parse_arg_flags(pairs: Sequence[str]) -> dict[str, str]:
    """What `-a name=value` gave.

    Raises:
        TemplateError: One is no pair.
    """
    wrong = [f"-a {pair}: is no name=value" for pair in pairs if "=" not in pair]
    if wrong:
        raise TemplateError(*wrong)
    return dict(pair.split("=", 1) for pair in pairs)


def check_names(names: Iterable[str], templates: Sequence[Template]) -> None:
    """Refuse what no template declares: Argo would ignore it without a word.

    Raises:
        TemplateError: With the nearest name.
    """
    known = sorted({argument.name for template in templates for argument in template.arguments})
    unknown = [name for name in names if name not in known]
    if unknown:
        raise TemplateError(
            *(f"-a {name}: not declared in spec.args. {did_you_mean(name, known, 'arguments')}" for name in unknown)
        )


def resolve_argument_values(template: Template, arg_values: Mapping[str, str]) -> dict[str, str]:
    """The value of every argument but those of secrets.

    Raises:
        TemplateError: All that have none; Argo asks for all of them, used or not.
    """
    values = {}
    missing = []
    for argument in template.arguments:
        value = arg_values.get(argument.name, argument.value)
        if value is None and not argument.secret:
            missing.append(argument.name)
        elif value is not None and not argument.secret:
            values[argument.name] = value
    if missing:
        flags = " ".join(f"-a {name}=…" for name in missing)
        raise TemplateError(f"{template.location}: arguments without a value: {', '.join(missing)}; give them: {flags}")
    return values


def resolve_arguments(node: Any, values: Mapping[str, str], secrets: frozenset[str], path: str) -> Any:
    """A metric with the arguments put in, in keys too.

    Args:
        node: Any part of the metric.
        values: By name.
        secrets: The names of those that come from a Secret.
        path: Where the part stands, for errors.

    Raises:
        TemplateError: Argo could not resolve it, or our bridge refuses it.
    """
    match node:
        case str():
            return _text(node, values, secrets, path)
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


def _text(text: str, values: Mapping[str, str], secrets: frozenset[str], path: str) -> str:
    def value_of(found: re.Match[str]) -> str:
        name = found[1].strip().removeprefix("args.")
        if name in secrets:
            raise TemplateError(
                f"{path}: the argument {name} is a secret, and the bridge refuses secrets (SECRET_IN_BLOCK);"
                " credentials belong in a backend of the provider's configuration"
            )
        if not found[1].strip().startswith("args.") or name not in values:
            hint = did_you_mean(name, values, "arguments")
            raise TemplateError(f"{path}: {found[0]} is not an argument of the template. {hint}")
        value = values[name]
        if _NOT_IN_JSON.search(value):
            raise TemplateError(f"{path}: the value of {name} has a control character, which Argo cannot put in")
        return value

    resolved = _TAG.sub(value_of, text)
    if "{{" in _TAG.sub("", text):
        raise TemplateError(f"{path}: an argument is not closed; write {{{{args.name}}}}")
    return resolved
