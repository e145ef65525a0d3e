"""What the rest asks of a condition language. Argo's own (expr) is one; others come behind the same two questions."""

from dataclasses import dataclass
from typing import Protocol

from skywalking_provider.model import Phase


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the conditions say of one result.

    Attributes:
        phase: Successful, Failed, Error or Inconclusive, by Argo's matrix.
        message: Argo's own text where the phase is Error and Argo has one; else the limit that was hit, with its
            remedy. Empty for the other phases, as at the controller.
        value: The result as Go's `json.Marshal` writes it: what Argo stores. Empty where the result could not be read
            or a limit was hit. (Argo drops it where the phase is Error; it is here for those who show it all the same.)
        not_evaluated: Whether nobody got to the conditions: such an Error says nothing about them.
    """

    phase: Phase
    message: str = ""
    value: str = ""
    not_evaluated: bool = False


@dataclass(frozen=True, slots=True)
class ConditionProblem:
    """What is wrong with a condition before it meets a result.

    `line` and `column` count from 1 and are 0 where the whole condition is meant; `snippet` is the line with a mark
    under the place, empty in the same case.
    """

    message: str
    line: int = 0
    column: int = 0
    snippet: str = ""

    def __str__(self) -> str:
        return f"{self.message} (line {self.line}, column {self.column})" if self.line else self.message


class ConditionLanguage(Protocol):
    """One condition language. Both questions are bounded and never raise for what a condition or a result contains."""

    # A timeout here is not a cancellation: it is answered, in words.
    async def evaluate(self, success: str, failure: str, result: bytes, *, timeout: float) -> Evaluation:  # noqa: ASYNC109
        """Judge a result.

        Args:
            success: The success condition; empty where there is none.
            failure: The failure condition; empty where there is none. With neither, the answer is Successful and the
                value alone is of interest.
            result: One JSON document in UTF-8, best as it came from the wire (see `jsontext` for one made in Python).
            timeout: Seconds after which the caller has no use for an answer; the answer is an Error by then.
        """
        ...

    async def check(self, condition: str, *, sample: bytes | None = None, timeout: float) -> ConditionProblem | None:  # noqa: ASYNC109
        """Find what is wrong with a condition without judging anything.

        Args:
            condition: The condition.
            sample: A result, JSON in UTF-8, of the type that is expected. Without it only mistakes that no result can
                make right are found: a condition's types follow from the result's.
            timeout: As in `evaluate`.
        """
        ...

    async def close(self) -> None:
        """End what is going on; questions that are still open are answered with an Error."""
        ...
