"""The query types of a block: what each requests from an OAP server, and how it computes a sample."""

from skywalking_provider.block import AlarmsSpec, ExpressionSpec, GraphqlSpec, IndicatorSpec, JudgedSpec, Spec
from skywalking_provider.queries.alarms.query import AlarmsQuery
from skywalking_provider.queries.base import CollectedSample, Diagnosis, DiagnosisKind, Query, QueryDescription
from skywalking_provider.queries.expression import ExpressionQuery
from skywalking_provider.queries.graphql.query import GraphqlQuery
from skywalking_provider.queries.indicators.judged import JudgedQuery
from skywalking_provider.queries.indicators.query import IndicatorQuery

__all__ = ["CollectedSample", "Diagnosis", "DiagnosisKind", "Query", "QueryDescription", "query_for"]


def query_for(spec: Spec) -> Query:
    """Create the query of a spec. No other code depends on the spec's class.

    Raises:
        ProviderError: COMPARES_ITSELF, if a judged block compares the canary with itself.
    """
    match spec:
        case GraphqlSpec():
            return GraphqlQuery(spec)
        case ExpressionSpec():
            return ExpressionQuery(spec)
        case IndicatorSpec():
            return IndicatorQuery(spec)
        case JudgedSpec():
            return JudgedQuery(spec)
        case AlarmsSpec():
            return AlarmsQuery(spec)
