"""Services of some layers have metrics of other names, or of other meanings."""

import pytest

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entity, EntitySet
from skywalking_provider.queries.indicators.metric_names import (
    MetricMeaning,
    available_metric,
    calls_metric,
    resolve_scope_metrics,
)

KNOWN = ("service_cpm", "mq_service_consume_cpm", "mq_service_consume_sla", "mq_service_produce_cpm")


def of(*layers: str) -> EntitySet:
    return EntitySet((Entity("one"),), layers)


@pytest.mark.parametrize(
    ("layers", "calls"),
    [
        ((), "service_cpm"),
        (("MESH",), "service_cpm"),
        (("GENERAL", "K8S_SERVICE"), "service_cpm"),
        (("VIRTUAL_DATABASE",), "database_access_cpm"),
        (("VIRTUAL_CACHE",), "cache_access_cpm"),
    ],
)
def test_calls_are_counted_by_the_metric_of_the_layer(layers: tuple[str, ...], calls: str) -> None:
    assert calls_metric(of(*layers)) == calls


def test_a_cache_has_no_apdex_and_is_told_so() -> None:
    with pytest.raises(ProviderError, match="OAP has no apdex") as caught:
        available_metric(
            MetricMeaning.APDEX, resolve_scope_metrics(of("VIRTUAL_CACHE")).apdex, KNOWN, of("VIRTUAL_CACHE")
        )

    assert caught.value.reason is Reason.METRIC_UNAVAILABLE


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("VIRTUAL_MQ", "one of mq_service_consume_cpm, mq_service_consume_sla, mq_service_produce_cpm"),
        ("K8S_SERVICE", "an expression with kubernetes_service_*"),
    ],
)
def test_where_metrics_mean_something_else_the_error_names_those_there_are(layer: str, words: str) -> None:
    with pytest.raises(ProviderError, match=f"services of layer {layer} have no metrics of calls") as caught:
        resolve_scope_metrics(of(layer), KNOWN)

    assert caught.value.reason is Reason.METRIC_UNAVAILABLE
    assert words in str(caught.value)
