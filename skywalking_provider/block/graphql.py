"""Form A: the built-in provider's own block."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from skywalking_provider.block.common import (
    MAX_BUCKETS,
    MINUTE,
    Common,
    InvalidKeyError,
    NonEmpty,
    check_whole_buckets,
)
from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.support.durations import Duration


def _check_query(text: str) -> str:
    parse_query(text)
    return text


class GraphqlSpec(Common):
    """A GraphQL query; `result` is its `data`.

    Attributes:
        interval: Length of the window, the built-in provider's word for it.
        query: GraphQL; `$duration` is given to it.
        absent: "drop" leaves buckets without data out of `result`; "zero" keeps OAP's zeros.
        compatibility: "argo" reads the built-in provider's own window, the unfinished minute included, and its zeros.
    """

    query: Annotated[NonEmpty, AfterValidator(_check_query)]
    interval: Duration
    absent: Literal["drop", "zero"] = "drop"
    compatibility: Literal["argo"] | None = None

    @property
    def window_length(self) -> timedelta:
        """Length of the window."""
        return self.interval

    @property
    def argo_compatible(self) -> bool:
        return self.compatibility is not None

    @model_validator(mode="after")
    def _check_interval(self) -> "GraphqlSpec":
        if self.compatibility is None:
            try:
                check_whole_buckets(self.interval)
            except ValueError as error:
                raise InvalidKeyError("interval", str(error)) from error
        elif self.interval > MAX_BUCKETS * MINUTE:
            raise InvalidKeyError("interval", "OAP answers at most 500 minutes in one query; write 500m or less")
        return self
