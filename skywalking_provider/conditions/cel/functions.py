"""CEL's functions with checked argument types. Runs in the worker process only.

cel-python's own functions accept whatever Python can convert (`size(null)` and `double(null)` are 0), and report other
arguments by Python's messages.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from celpy import celtypes, evaluation

from skywalking_provider.conditions.cel.values import TYPES, cel_type_name

_SIZED_KINDS: Final = ("string", "bytes", "list", "map")
# Errors of the conversions of Python and pendulum.
_CONVERSION_ERRORS: Final = (ValueError, OverflowError, TypeError, AttributeError, LookupError)


@dataclass(frozen=True, slots=True)
class CelFunction:
    """A function of CEL. For a method, the receiver is the first argument.

    Attributes:
        name: Name in CEL.
        call: Implementation.
        parameter_kinds: Types that each argument may have.
        optional: Number of trailing arguments that may be omitted.
    """

    name: str
    call: Callable[..., Any]
    parameter_kinds: tuple[tuple[str, ...], ...]
    optional: int = 0

    def __call__(self, *arguments: Any) -> Any:
        """Check the arguments and call the function.

        Raises:
            TypeError: The number or the type of the arguments is wrong.
            ValueError: An argument cannot be converted.
        """
        for argument in arguments:
            if isinstance(argument, evaluation.CELEvalError):
                return argument
        most = len(self.parameter_kinds)
        if not most - self.optional <= len(arguments) <= most:
            raise TypeError(f"{self.name}() takes {most} arguments including the receiver, not {len(arguments)}")
        for argument, kinds in zip(arguments, self.parameter_kinds, strict=False):
            if cel_type_name(argument) not in kinds:
                raise TypeError(f"{self.name}() takes {' or '.join(kinds)}, not {cel_type_name(argument)}")
        try:
            return self.call(*arguments)
        except _CONVERSION_ERRORS as error:
            raise ValueError(f"{self.name}() cannot convert {str(arguments[0])[:40]!r}: {error}") from error


def _string(value: Any) -> celtypes.StringType:
    if isinstance(value, celtypes.BoolType):
        return celtypes.StringType("true" if value else "false")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return celtypes.StringType(str(int(value)))  # CEL writes 5 for this double, not 5.0
    return celtypes.StringType(value)


def _matches(text: Any, pattern: Any) -> Any:
    value = evaluation.function_matches(text, pattern)
    if isinstance(value, evaluation.CELEvalError):
        raise ValueError(f"{str(pattern)[:40]!r} is not a regular expression of RE2") from value
    return value


_TEXT_KINDS: Final = ("string",)
_NUMBER_KINDS: Final = ("int", "uint", "double")
_TABLE: Final = (
    CelFunction("size", lambda value: celtypes.IntType(len(value)), (_SIZED_KINDS,)),
    CelFunction("contains", lambda text, part: celtypes.BoolType(str(part) in str(text)), (_TEXT_KINDS, _TEXT_KINDS)),
    CelFunction("startsWith", lambda text, part: celtypes.BoolType(text.startswith(part)), (_TEXT_KINDS, _TEXT_KINDS)),
    CelFunction("endsWith", lambda text, part: celtypes.BoolType(text.endswith(part)), (_TEXT_KINDS, _TEXT_KINDS)),
    CelFunction("matches", _matches, (_TEXT_KINDS, _TEXT_KINDS)),
    CelFunction("type", celtypes.TypeType, (("null", *TYPES),)),
    CelFunction("bool", celtypes.BoolType, (("bool", "string"),)),
    CelFunction("bytes", celtypes.BytesType, (("bytes", "string"),)),
    CelFunction("double", celtypes.DoubleType, ((*_NUMBER_KINDS, "string"),)),
    CelFunction("duration", celtypes.DurationType, (("duration", "string"),)),
    CelFunction("int", celtypes.IntType, ((*_NUMBER_KINDS, "string", "timestamp"),)),
    CelFunction("string", _string, ((*_NUMBER_KINDS, "bool", "string", "bytes", "timestamp", "duration"),)),
    CelFunction("timestamp", celtypes.TimestampType, (("timestamp", "string", "int"),)),
    CelFunction("uint", celtypes.UintType, ((*_NUMBER_KINDS, "string"),)),
    *(
        CelFunction(name, getattr(evaluation, f"function_{name}"), (("timestamp",), _TEXT_KINDS), optional=1)
        for name in ("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getMonth")
    ),
    *(
        CelFunction(name, getattr(evaluation, f"function_{name}"), (("timestamp", "duration"), _TEXT_KINDS), optional=1)
        for name in ("getHours", "getMilliseconds", "getMinutes", "getSeconds")
    ),
)
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {function.name: function for function in _TABLE}
