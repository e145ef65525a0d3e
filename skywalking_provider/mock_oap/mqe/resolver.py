"""Resolver of `execExpression`: parses, evaluates and serializes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skywalking_provider.mock_oap.duration import parse_duration
from skywalking_provider.mock_oap.entity_ids import owner_json
from skywalking_provider.mock_oap.graphql_errors import DataFetchingError, Json
from skywalking_provider.mock_oap.java_format import decimal_format
from skywalking_provider.mock_oap.mqe.evaluator import Evaluator
from skywalking_provider.mock_oap.mqe.grammar import MqeSyntaxError, parse_expression
from skywalking_provider.mock_oap.mqe.result import Result, ResultRow
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.versions import OapVersion


@dataclass(frozen=True, slots=True)
class ExpressionResolver:
    """Resolver of `execExpression` for one OAP version."""

    store: Store
    oap_version: OapVersion
    decimal_comma: bool
    """Whether numbers have a decimal comma, as from a JVM with a German or French locale."""

    def execute(self, expression: str, entity: Mapping[str, Any], duration: Mapping[str, str]) -> Json:
        """Return the result of an expression for an entity over a duration."""
        version = self.oap_version.mqe
        if version is None:
            raise LookupError(f"OAP {self.oap_version.version} has no execExpression in its schema")
        try:
            node = parse_expression(expression, version)
        except MqeSyntaxError as error:
            if version.syntax_error_throws:
                raise DataFetchingError(str(error)) from error
            return self._json(Result.from_error(str(error)))
        during = parse_duration(duration, self.store.clock.zone, self.oap_version)
        return self._json(Evaluator(self.store, self.oap_version, version, entity, during).evaluate(node))

    def _json(self, result: Result) -> Json:
        return {"type": result.type, "error": result.error, "results": [self._row(row) for row in result.rows]}

    def _row(self, row: ResultRow) -> Json:
        labels, has_owners = row.labels, self.oap_version.has_owners
        return {
            "metric": None if labels is None else {"labels": [{"key": key, "value": value} for key, value in labels]},
            "values": [
                {
                    "id": one.id,
                    "value": None if one.value is None else decimal_format(one.value, comma=self.decimal_comma),
                    "traceID": None,
                    "owner": owner_json(one.owner) if has_owners and one.owner else None,
                }
                for one in row.values
            ],
        }
