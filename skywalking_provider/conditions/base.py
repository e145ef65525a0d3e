"""The interface of a condition language. Argo's own (`expr`) is one, CEL (`cel`) another."""

from dataclasses import dataclass
from typing import Protocol

from skywalking_provider.model import Phase


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The outcome of a metric's conditions for one result.

    Attributes:
        phase: Successful, Failed, Error or Inconclusive, by Argo's rules.
        message: Argo's own text if the phase is Error and Argo has one; else the exceeded limit with a hint. Empty
            for other phases, as in the controller.
        value: The result as Go's `json.Marshal` writes it, which is what Argo stores. Empty if the result could not
            be read or a limit was exceeded. Argo drops it for an Error; callers that show it may use it.
        not_evaluated: Whether the conditions were not evaluated at all. Such an Error does not depend on them.
    """

    phase: Phase
    message: str = ""
    value: str = ""
    not_evaluated: bool = False


@dataclass(frozen=True, slots=True)
class ConditionProblem:
    """An error in a condition that is found without evaluating it.

    Attributes:
        message: The error.
        line: Line of the error, counted from 1; 0 for the whole condition.
        column: Column of the error, counted from 1; 0 for the whole condition.
        snippet: The line with a mark below the column; empty for the whole condition.
    """

    message: str
    line: int = 0
    column: int = 0
    snippet: str = ""

    def __str__(self) -> str:
        return f"{self.message} (line {self.line}, column {self.column})" if self.line else self.message


class ConditionLanguage(Protocol):
    """A condition language. Its methods are bounded, and never raise because of a condition's or a result's content."""

    @property
    def healthy(self) -> bool:
        """Whether all evaluators that are in use could be started the last time. It depends on no condition."""
        ...

    async def recover(self) -> None:
        """Try to start the evaluators that could not be started."""
        ...

    # The timeout is a parameter because it is reported as an Evaluation instead of raised.
    async def evaluate(
        self,
        success: str,
        failure: str,
        result: bytes,
        *,
        timeout: float,  # noqa: ASYNC109
        namespace: str = "",
    ) -> Evaluation:
        """Evaluate the conditions of a metric for a result.

        Args:
            success: Success condition; empty for none.
            failure: Failure condition; empty for none. With neither, the phase is Successful.
            result: JSON document in UTF-8, as it was received or from `support.go_json`.
            timeout: Seconds until the caller no longer needs the outcome; it is an Error by then.
            namespace: Namespace of the measurement. Namespaces share the evaluators fairly.
        """
        ...

    async def check(self, condition: str, *, sample: bytes | None = None, timeout: float) -> ConditionProblem | None:  # noqa: ASYNC109
        """Find an error in a condition without evaluating it.

        Args:
            condition: The condition.
            sample: Result of the expected type, JSON in UTF-8. The types in a condition follow from it; without it,
                only errors that occur for every result are found.
            timeout: Seconds, as in `evaluate`.
        """
        ...

    async def close(self) -> None:
        """Stop running evaluations; pending calls return an Error."""
        ...
