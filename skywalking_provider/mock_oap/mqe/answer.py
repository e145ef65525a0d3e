"""`execExpression`: parse, evaluate, and write the result as GraphQL gives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skywalking_provider.mock_oap.dialect import Dialect
from skywalking_provider.mock_oap.duration import parse_duration
from skywalking_provider.mock_oap.java import JavaError, decimal_format
from skywalking_provider.mock_oap.mqe.evaluate import Evaluator
from skywalking_provider.mock_oap.mqe.parser import MqeSyntaxError, parse
from skywalking_provider.mock_oap.mqe.values import Result, Row
from skywalking_provider.mock_oap.store import Store

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Expressions:
    """Answers `execExpression` in one version's manner."""

    store: Store
    dialect: Dialect
    decimal_comma: bool
    """Whether the OAP's JVM has a locale that writes 8,571."""

    def execute(self, expression: str, entity: Mapping[str, Any], duration: Mapping[str, str]) -> Json:
        """The result of an expression for an entity over a duration."""
        language = self.dialect.mqe
        if language is None:
            raise LookupError(f"OAP {self.dialect.version} has no execExpression in its schema")
        try:
            node = parse(expression, language)
        except MqeSyntaxError as malformed:
            if language.syntax_error_throws:
                raise JavaError(str(malformed)) from malformed
            return self._json(Result.failed(str(malformed)))
        during = parse_duration(duration, self.store.clock.zone, self.dialect)
        return self._json(Evaluator(self.store, self.dialect, language, entity, during).evaluate(node))

    def _json(self, result: Result) -> Json:
        return {"type": result.type, "error": result.error, "results": [self._row(row) for row in result.rows]}

    def _row(self, row: Row) -> Json:
        labels = row.labels
        return {
            "metric": None if labels is None else {"labels": [{"key": key, "value": value} for key, value in labels]},
            "values": [
                {
                    "id": one.id,
                    "value": None if one.value is None else decimal_format(one.value, comma=self.decimal_comma),
                    "traceID": None,
                }
                for one in row.values
            ],
        }
