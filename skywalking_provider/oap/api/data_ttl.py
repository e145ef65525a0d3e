"""TTL of the metrics of minutes, which OAP 10.3 and newer reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic import StrictInt

from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.response_parser import FieldParser

METRICS_TTL_REQUEST: Final = GraphqlRequest("{ ttl: getMetricsTTL { minute } }", {})
_LONGEST_DAYS: Final = 36_500


@dataclass(frozen=True, slots=True)
class _MetricsTtl:
    """`MetricsTTL`: days."""

    minute: StrictInt


_PARSER: Final = FieldParser[_MetricsTtl | None](_MetricsTtl | None)


def parse_metrics_ttl(data: Mapping[str, Any]) -> timedelta | None:
    """Return the TTL of minutes from the response to METRICS_TTL_REQUEST; None if the OAP does not report one.

    The cold stage of BanyanDB is left out, because the provider does not read it.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID.
    """
    ttl = _PARSER.parse(data, "ttl")
    return timedelta(days=ttl.minute) if ttl and 0 < ttl.minute <= _LONGEST_DAYS else None
