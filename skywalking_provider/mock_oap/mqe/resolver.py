"""`execExpression`: parse, evaluate, and write the result as GraphQL gives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skywalking_provider.mock_oap.duration import parse_duration
from skywalking_provider.mock_oap.java_format import JavaError, decimal_format
from skywalking_provider.mock_oap.mqe.evaluator import Evaluator
from skywalking_provider.mock_oap.mqe.parser import MqeSyntaxError, parse
from skywalking_provider.mock_oap.mqe.result import Result, Row
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.versions import OapVersion

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ExpressionResolver:
    """Answers `execExpression` in one version's manner."""

    store: Store
    oap_version: OapVersion
    decimal_comma: bool
    """Whether the OAP's JVM has a locale that writes 8,571."""

    def execute(self, expression: str, entity: Mapping[str, Any], duration: Mapping[str, str]) -> Json:
        """The result of an expression for an entity over a duration."""
        language = self.oap_version.mqe
        if language is None:
            raise LookupError(f"OAP {self.oap_version.version} has no execExpression in its schema")
        try:
            node = parse(expression, language)
        except MqeSyntaxError as malformed:
            if language.syntax_error_throws:
                raise JavaError(str(malformed)) from malformed
            return self._json(Result.from_error(str(malformed)))
        during = parse_duration(duration, self.store.clock.zone, self.oap_version)
        return self._json(Evaluator(self.store, self.oap_version, language, entity, during).evaluate(node))

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
