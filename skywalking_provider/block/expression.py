"""The query type `expression`: a metrics query expression (MQE)."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from skywalking_provider.block.common import InvalidKeyError, NotBoolean
from skywalking_provider.block.entity import EntitySpec
from skywalking_provider.block.expression_syntax import check_expression, ranking_function

_GRAPHQL: Final = re.compile(r"\s*(query\b|\{)")


def _reject_graphql(text: str) -> str:
    if _GRAPHQL.match(text):
        raise ValueError("is GraphQL. Write it as `query`, with interval")
    return text


class ExpressionSpec(EntitySpec):
    """A metrics query expression (MQE) for OAP 9.5 and newer.

    Attributes:
        expression: Expression. OAP rounds results to three decimals, so scale them with `scale`, not in here.
        scale: Divisor of every number in the result.
    """

    expression: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1),
        AfterValidator(_reject_graphql),
        AfterValidator(check_expression),
    ]
    scale: Annotated[float, NotBoolean] = Field(default=1.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check_ranking(self) -> "ExpressionSpec":
        chosen = "instances" if self.instances else "endpoint" if self.endpoint else ""
        if chosen and (ranking := ranking_function(self.expression)):
            raise InvalidKeyError(
                chosen,
                f"{ranking} ranks all instances or endpoints of the service and ignores the selection; remove"
                f" {chosen}, or read one of their metrics",
            )
        return self
