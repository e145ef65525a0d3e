"""Problems of single lines."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A line that is not judged.

    Attributes:
        line: Number of the line, from 1.
        message: The problem and the next step.
    """

    line: int
    message: str

    def __str__(self) -> str:
        """Return the problem with its line."""
        return f"line {self.line}: {self.message}"
