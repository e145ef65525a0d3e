"""The `data` of a GraphQL response with the size of its text."""

from collections.abc import Mapping
from typing import Any


class ResponseData(dict[str, Any]):
    """The `data` of a response; callers must not change it.

    Attributes:
        size: Number of characters of its text.
    """

    size: int = 0

    @classmethod
    def from_data(cls, data: dict[str, Any], size: int) -> "ResponseData":
        """Return the data with the size of their text."""
        response = cls(data)
        response.size = size
        return response


def response_size(data: Mapping[str, Any]) -> int:
    """Return the number of characters that the data were decoded from; 0 for data that are no response."""
    return data.size if isinstance(data, ResponseData) else 0
