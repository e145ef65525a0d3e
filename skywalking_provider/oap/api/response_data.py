"""The `data` of a GraphQL response with the size of its text."""

from typing import Any


class ResponseData(dict[str, Any]):
    """The `data` of an answer; nobody may change it.

    Attributes:
        size: Characters of its text.
    """

    size: int = 0

    @classmethod
    def from_data(cls, data: dict[str, Any], size: int) -> "ResponseData":
        """The data with the size of their text."""
        answer = cls(data)
        answer.size = size
        return answer
