"""CEL's functions, which take what they are made for and say so otherwise. Runs in the worker's process only.

cel-python's own take whatever Python can make something of (`size(null)` is 0, `double(null)` too) and answer the rest
in Python's words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from celpy import celtypes, evaluation

from skywalking_provider.conditions.cel.values import TYPES, cel_type_name

_SIZED_KINDS: Final = ("string", "bytes", "list", "map")
# What the conversions of Python and pendulum raise for a text or a number that they cannot read.
_CONVERSION_ERRORS: Final = (ValueError, OverflowError, TypeError, AttributeError, LookupError)


@dataclass(frozen=True, slots=True)
class CelFunction:
    """A function of CEL; as a method, the receiver is the first argument.

    Attributes:
        name: Its name in CEL.
        call: What it does.
        parameter_kinds: The kinds each argument may have.
        optional: How many of the last ones may be left out.
    """

    name: str
    call: Callable[..., Any]
    parameter_kinds: tuple[tuple[str, ...], ...]
    optional: int = 0

    def __call__(self, *arguments: Any) -> Any:
        """Check the arguments and call.

        Raises:
            TypeError: They are too many, too few, or of another kind.
            ValueError: They cannot be converted.
        """
        for argument in arguments:
            if isinstance(argument, evaluation.CELEvalError):
                return argument
        if not len(self.parameter_kinds) - self.optional <= len(arguments) <= len(self.parameter_kinds):
            raise TypeError(
                f"{self.name}() takes {len(self.parameter_kinds)} values, the receiver included, not {len(arguments)}"
            )
        for argument, kinds in zip(arguments, self.parameter_kinds, strict=False):
            if cel_type_name(argument) not in kinds:
                raise TypeError(f"{self.name}() takes {' or '.join(kinds)}, not {cel_type_name(argument)}")
        try:
            return self.call(*arguments)
        except _CONVERSION_ERRORS as error:
            raise ValueError(f"{self.name}() cannot read {str(arguments[0])[:40]!r}: {error}") from error


def _string(value: Any) -> celtypes.StringType:
    if isinstance(value, celtypes.BoolType):
        return celtypes.StringType("true" if value else "false")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return celtypes.StringType(str(int(value)))  # 5, as CEL writes a double, not 5.0
    return celtypes.StringType(value)


def _matches(text: Any, pattern: Any) -> Any:
    answer = evaluation.function_matches(text, pattern)
    if isinstance(answer, evaluation.CELEvalError):
        raise ValueError(f"{str(pattern)[:40]!r} is no regular expression of RE2") from answer
    return answer


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
