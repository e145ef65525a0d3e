"""The query type `query`: GraphQL, as in the block of Argo's built-in provider."""

import re
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
from skywalking_provider.block.graphql_durations import check_durations
from skywalking_provider.block.graphql_syntax import QuerySyntaxError, parse_query
from skywalking_provider.support.durations import Duration

_GRAPHQL_WORDS = ("query", "mutation", "subscription", "fragment")
_HTTP_BODY = re.compile(r'\s*\{\s*"')
_EXPRESSION = re.compile(r"\s*[a-z][a-z0-9_]*\s*(\(|\{\s*[a-z_]+\s*=|[-+*/<>=!]|$)")
"""Text that begins as a metrics query expression does. GraphQL begins with `query` and a name, or with a brace."""


def _check_query(text: str) -> str:
    if _HTTP_BODY.match(text):  # as in Flagger's templates and in examples with curl
        raise ValueError("is the JSON of an HTTP request. Write the text of its `query` instead")
    try:
        document = parse_query(text)
    except QuerySyntaxError:
        if _EXPRESSION.match(text) and not text.lstrip().startswith(_GRAPHQL_WORDS):
            raise ValueError("is not GraphQL. Write a metrics query expression as `expression`, with window") from None
        raise
    check_durations(document)
    return text


class GraphqlSpec(Common):
    """A GraphQL query. `result` is the `data` of its response.

    Attributes:
        interval: Length of the window. The built-in provider's key.
        query: GraphQL with one query, which gets the variable `$duration`.
        absent: "drop" removes buckets without data from `result`; "zero" keeps OAP's zeros.
        compatibility: "argo" sends the query verbatim and reads the built-in provider's window, with the unfinished
            minute and with OAP's zeros.
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

    @property
    def _starts_at_run_by_default(self) -> bool:
        return not self.argo_compatible

    @model_validator(mode="after")
    def _check_since(self) -> "GraphqlSpec":
        if self.argo_compatible and self.since == "run":
            raise InvalidKeyError(
                "since", "run excludes minutes that the window of compatibility: argo has; remove one of both"
            )
        return self

    @model_validator(mode="after")
    def _check_interval(self) -> "GraphqlSpec":
        if self.compatibility is None:
            try:
                check_whole_buckets(self.interval)
            except ValueError as error:
                raise InvalidKeyError("interval", str(error)) from error
        elif self.interval > MAX_BUCKETS * MINUTE:
            raise InvalidKeyError("interval", "is longer than 500 minutes, OAP's limit per query; write 500m or less")
        return self
