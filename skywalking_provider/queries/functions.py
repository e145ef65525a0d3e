"""Functions and operators of metrics query expressions (MQE), and hints for those that an OAP does not know.

OAP takes the name of an unknown function for a metric. Source: MQEParser.g4 and the change logs of SkyWalking.
"""

from collections.abc import Collection
from typing import Final

from skywalking_provider.block.expression_syntax import boolean_operators, called_functions
from skywalking_provider.support.suggestions import did_you_mean

_MAX_HINTS: Final = 3
_SINCE_9_5: Final = (
    *("abs", "aggregate_labels", "avg", "ceil", "count", "floor", "latest", "max"),
    *("min", "relabels", "round", "sum", "top_n", "view_as_seq"),
)
_SINCE: Final = {
    **dict.fromkeys(_SINCE_9_5, "9.5"),
    **dict.fromkeys(("increase", "rate"), "9.7"),
    **dict.fromkeys(("is_present", "sort_label_values", "sort_values"), "10.0"),
    **dict.fromkeys(("baseline", "top_n_of"), "10.2"),
}
"""First version of OAP with each function."""
BOOLEAN_OPERATORS_SINCE: Final = "10.2"
"""First version of OAP with `&&` and `||`."""
_RENAMED: Final = {"relabel": "relabels"}  # SkyWalking's documentation of MQE wrote the former


def first_version(name: str) -> str:
    """Return the first version of OAP with a function, such as "10.2"; empty if the function is not known."""
    return _SINCE.get(name, "")


def suggest_functions(expression: str, error: str, metrics: Collection[str]) -> str:
    """Return a hint for the functions of an expression that an OAP rejects as unknown metrics.

    Args:
        expression: The expression.
        error: Error text of the OAP, which names the first one.
        metrics: Metrics of the OAP.
    """
    hints = [
        hint
        for name in called_functions(expression)
        if name not in metrics and (f"[{name}]" in error or name not in _SINCE)
        for hint in [_suggest(name)]
        if hint
    ]
    return " ".join(hints[:_MAX_HINTS])


def suggest_operators(expression: str, error: str) -> str:
    """Return a hint for an expression with a boolean operator that an OAP does not know.

    Args:
        expression: The expression.
        error: Error text of the OAP, which quotes the character that it does not know.
    """
    operators = [one for one in boolean_operators(expression) if f"'{one[0]}'" in error]
    return f"The operator {operators[0]} needs OAP {BOOLEAN_OPERATORS_SINCE} or newer." if operators else ""


def _suggest(name: str) -> str:
    if name in _SINCE:
        return f"The function {name} needs OAP {_SINCE[name]} or newer."
    if name in _RENAMED:
        return f"Write {_RENAMED[name]}: {name} is not a function."
    return did_you_mean(name, _SINCE, "functions")
