"""CEL's functions, which take what they are made for and say so otherwise. Runs in the worker's process only.

cel-python's own take whatever Python can make something of (`size(null)` is 0, `double(null)` too) and answer the rest
in Python's words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from celpy import celtypes, evaluation

from skywalking_provider.conditions.cel_values import TYPES, kind

_SIZED: Final = ("string", "bytes", "list", "map")
# What the conversions of Python and pendulum raise for a text or a number that they cannot read.
_UNREADABLE: Final = (ValueError, OverflowError, TypeError, AttributeError, LookupError)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of CEL; as a method, the receiver is the first argument.

    Attributes:
        name: Its name in CEL.
        call: What it does.
        takes: The kinds each argument may have.
        optional: How many of the last ones may be left out.
    """

    name: str
    call: Callable[..., Any]
    takes: tuple[tuple[str, ...], ...]
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
        if not len(self.takes) - self.optional <= len(arguments) <= len(self.takes):
            raise TypeError(
                f"{self.name}() takes {len(self.takes)} values, the receiver included, not {len(arguments)}"
            )
        for argument, kinds in zip(arguments, self.takes, strict=False):
            if kind(argument) not in kinds:
                raise TypeError(f"{self.name}() takes {' or '.join(kinds)}, not {kind(argument)}")
        try:
            return self.call(*arguments)
        except _UNREADABLE as error:
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


_TEXT: Final = ("string",)
_NUMBER: Final = ("int", "uint", "double")
_TABLE: Final = (
    Function("size", lambda value: celtypes.IntType(len(value)), (_SIZED,)),
    Function("contains", lambda text, part: celtypes.BoolType(str(part) in str(text)), (_TEXT, _TEXT)),
    Function("startsWith", lambda text, part: celtypes.BoolType(text.startswith(part)), (_TEXT, _TEXT)),
    Function("endsWith", lambda text, part: celtypes.BoolType(text.endswith(part)), (_TEXT, _TEXT)),
    Function("matches", _matches, (_TEXT, _TEXT)),
    Function("type", celtypes.TypeType, (("null", *TYPES),)),
    Function("bool", celtypes.BoolType, (("bool", "string"),)),
    Function("bytes", celtypes.BytesType, (("bytes", "string"),)),
    Function("double", celtypes.DoubleType, ((*_NUMBER, "string"),)),
    Function("duration", celtypes.DurationType, (("duration", "string"),)),
    Function("int", celtypes.IntType, ((*_NUMBER, "string", "timestamp"),)),
    Function("string", _string, ((*_NUMBER, "bool", "string", "bytes", "timestamp", "duration"),)),
    Function("timestamp", celtypes.TimestampType, (("timestamp", "string", "int"),)),
    Function("uint", celtypes.UintType, ((*_NUMBER, "string"),)),
    *(
        Function(name, getattr(evaluation, f"function_{name}"), (("timestamp",), _TEXT), optional=1)
        for name in ("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getMonth")
    ),
    *(
        Function(name, getattr(evaluation, f"function_{name}"), (("timestamp", "duration"), _TEXT), optional=1)
        for name in ("getHours", "getMilliseconds", "getMinutes", "getSeconds")
    ),
)
FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {function.name: function for function in _TABLE}
