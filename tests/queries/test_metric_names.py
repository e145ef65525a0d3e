"""Metric names by layer."""

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


def entities_in(*layers: str) -> EntitySet:
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
def test_calls_metric_depends_on_the_layer(layers: tuple[str, ...], calls: str) -> None:
    assert calls_metric(entities_in(*layers)) == calls


def test_apdex_of_a_virtual_cache_is_metric_unavailable() -> None:
    with pytest.raises(ProviderError, match="OAP has no apdex") as caught:
        available_metric(
            MetricMeaning.APDEX,
            resolve_scope_metrics(entities_in("VIRTUAL_CACHE")).apdex,
            KNOWN,
            entities_in("VIRTUAL_CACHE"),
        )

    assert caught.value.reason is Reason.METRIC_UNAVAILABLE


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("VIRTUAL_MQ", "one of mq_service_consume_cpm, mq_service_consume_sla, mq_service_produce_cpm"),
        ("K8S_SERVICE", "an expression with kubernetes_service_*"),
    ],
)
def test_layer_with_metrics_of_other_meanings_is_an_error_that_lists_them(layer: str, expected: str) -> None:
    with pytest.raises(ProviderError, match=f"services of layer {layer} have no metrics of calls") as caught:
        resolve_scope_metrics(entities_in(layer), KNOWN)

    assert caught.value.reason is Reason.METRIC_UNAVAILABLE
    assert expected in str(caught.value)
