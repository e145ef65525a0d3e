"""Metric names by layer."""

import pytest

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entity, EntitySet, Scope
from skywalking_provider.queries.indicators.metric_names import (
    MetricMeaning,
    ScopeMetrics,
    _virtual_target_metrics,
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


MEMBERS = {
    Scope.SERVICE: Entity("one"),
    Scope.INSTANCE: Entity("one", instance="pod-1"),
    Scope.ENDPOINT: Entity("one", endpoint="/"),
}


def entities_at(scope: Scope, *layers: str) -> EntitySet:
    return EntitySet((MEMBERS[scope],), layers)


def test_metrics_of_a_scope_are_selected_by_their_meaning() -> None:
    metrics = ScopeMetrics(("calls",), ("success-rate",), ("latency",), ("percentile",), ("apdex",))

    assert {meaning: metrics.by_meaning(meaning) for meaning in MetricMeaning} == {
        meaning: (meaning.value,) for meaning in MetricMeaning
    }


@pytest.mark.parametrize(
    ("scope", "layers", "calls", "latency"),
    [
        (Scope.SERVICE, ("GENERAL",), "service_cpm", ("service_resp_time",)),
        (Scope.INSTANCE, ("GENERAL",), "service_instance_cpm", ("service_instance_resp_time",)),
        (Scope.ENDPOINT, ("GENERAL",), "endpoint_cpm", ("endpoint_resp_time", "endpoint_avg")),
        (Scope.SERVICE, ("VIRTUAL_DATABASE",), "database_access_cpm", ("database_access_resp_time",)),
        # Only the service itself is virtual, and only if it has no other layer.
        (Scope.ENDPOINT, ("VIRTUAL_DATABASE",), "endpoint_cpm", ("endpoint_resp_time", "endpoint_avg")),
        (Scope.SERVICE, ("GENERAL", "VIRTUAL_CACHE"), "service_cpm", ("service_resp_time",)),
        (Scope.SERVICE, ("VIRTUAL_DATABASE", "VIRTUAL_CACHE"), "service_cpm", ("service_resp_time",)),
        (Scope.SERVICE, ("VIRTUAL_CACHE", "VIRTUAL_CACHE"), "cache_access_cpm", ("cache_access_resp_time",)),
    ],
)
def test_metrics_depend_on_the_scope_and_the_layers(
    scope: Scope, layers: tuple[str, ...], calls: str, latency: tuple[str, ...]
) -> None:
    entities = entities_at(scope, *layers)

    assert calls_metric(entities) == calls
    assert resolve_scope_metrics(entities).latency == latency


def test_metrics_of_a_virtual_target_are_those_of_the_calling_side() -> None:
    expected = ScopeMetrics(
        ("cache_access_cpm",), ("cache_access_sla",), ("cache_access_resp_time",), ("cache_access_percentile",)
    )

    assert resolve_scope_metrics(entities_in("VIRTUAL_CACHE")) == expected
    assert _virtual_target_metrics("cache") == expected  # the tables are built by the import, before a mutant is chosen


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["b", "a"], "Use an expression with one of mq_service_a, mq_service_b"),
        (list("hgfedcba"), f"Use an expression with one of {', '.join(f'mq_service_{one}' for one in 'abcdefgh')}"),
        (list("ihgfedcba"), f"Use an expression with one of {', '.join(f'mq_service_{one}' for one in 'abcdefgh')}, …"),
        ([], "Use an expression with mq_service_*"),
    ],
)
def test_hint_for_a_layer_with_other_metrics_lists_up_to_eight_of_them(names: list[str], hint: str) -> None:
    known = ["service_cpm", *(f"mq_service_{one}" for one in names)]

    with pytest.raises(ProviderError) as caught:
        resolve_scope_metrics(entities_in("VIRTUAL_MQ"), known)

    assert str(caught.value) == (
        "services of layer VIRTUAL_MQ have no metrics of calls, success rate and latency under the usual names. " + hint
    )


def test_service_in_several_layers_with_other_metrics_is_an_error_with_the_first_of_them() -> None:
    with pytest.raises(ProviderError, match="services of layer BROWSER have no metrics"):
        resolve_scope_metrics(entities_in("VIRTUAL_MQ", "BROWSER"))
    with pytest.raises(ProviderError, match="services of layer BROWSER have no metrics"):
        resolve_scope_metrics(entities_in("VIRTUAL_MQ", "VIRTUAL_GENAI", "K8S_SERVICE", "BROWSER"))  # all such layers


@pytest.mark.parametrize(
    ("candidates", "known", "metric"),
    [
        (("endpoint_resp_time", "endpoint_avg"), ("endpoint_avg", "endpoint_resp_time"), "endpoint_resp_time"),
        (("endpoint_resp_time", "endpoint_avg"), ("endpoint_avg",), "endpoint_avg"),
        # A line that the OAP's administrator has added.
        ((), ("endpoint_resp_time", "endpoint_apdex"), "endpoint_apdex"),
    ],
)
def test_available_metric_is_the_first_candidate_that_the_oap_has(
    candidates: tuple[str, ...], known: tuple[str, ...], metric: str
) -> None:
    meaning = MetricMeaning.LATENCY if candidates else MetricMeaning.APDEX

    assert available_metric(meaning, candidates, known, entities_at(Scope.ENDPOINT)) == metric


@pytest.mark.parametrize(
    ("scope", "meaning", "line"),
    [
        (Scope.SERVICE, MetricMeaning.APDEX, "service_apdex = from(Service.latency).apdex(name, status);"),
        (
            Scope.INSTANCE,
            MetricMeaning.APDEX,
            "service_instance_apdex = from(ServiceInstance.latency).apdex(serviceName, status);",
        ),
        (Scope.ENDPOINT, MetricMeaning.APDEX, "endpoint_apdex = from(Endpoint.latency).apdex(serviceName, status);"),
        (Scope.ENDPOINT, MetricMeaning.CALLS, "endpoint_cpm = from(Endpoint.*).cpm();"),
    ],
)
def test_hint_for_a_missing_metric_is_the_oal_line_that_adds_it(
    scope: Scope, meaning: MetricMeaning, line: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        available_metric(meaning, (), KNOWN, entities_at(scope))

    assert caught.value.reason is Reason.METRIC_UNAVAILABLE
    assert str(caught.value) == (
        f"OAP has no {meaning.value} at the scope {scope.value}."
        f" Add `{line}` to the OAP's OAL, or choose another indicator or entity"
    )


def test_hint_for_a_missing_metric_suggests_a_similar_one() -> None:
    added = "service_sla = from(Service.*).percent(status == true);"
    with pytest.raises(ProviderError) as caught:
        available_metric(MetricMeaning.SUCCESS_RATE, ("service_sla", "old"), ("service_sla2",), entities_in())

    assert caught.value.hint == (
        f"Did you mean service_sla2? Add `{added}` to the OAP's OAL, or choose another indicator or entity"
    )


@pytest.mark.parametrize(
    ("layer", "meaning", "candidates", "message"),
    [
        (
            "VIRTUAL_DATABASE",
            MetricMeaning.CALLS,
            ("database_access_cpm",),
            (
                "OAP has no calls for services of layer VIRTUAL_DATABASE (database_access_cpm). Add"
                " `database_access_cpm = from(DatabaseAccess.*).cpm();` to the OAP's OAL, or choose another indicator"
                " or entity"
            ),
        ),
        (
            "VIRTUAL_DATABASE",
            MetricMeaning.APDEX,
            (),
            (
                "OAP has no apdex for services of layer VIRTUAL_DATABASE. Add"
                " `database_access_apdex = from(DatabaseAccess.latency).apdex(name, status);` to the OAP's OAL, or"
                " choose another indicator or entity"
            ),
        ),
        (
            "VIRTUAL_CACHE",
            MetricMeaning.SUCCESS_RATE,
            ("cache_access_sla",),
            (
                "OAP has no success-rate for services of layer VIRTUAL_CACHE (cache_access_sla). Did you mean"
                " cache_access_sli? Add `cache_access_sla = from(CacheAccess.*).percent(status == true);` to the OAP's"
                " OAL, or choose another indicator or entity"
            ),
        ),
        (
            "VIRTUAL_DATABASE",
            MetricMeaning.LATENCY,
            ("database_access_resp_time",),
            (
                "OAP has no latency for services of layer VIRTUAL_DATABASE (database_access_resp_time). Add"
                " `database_access_resp_time = from(DatabaseAccess.latency).longAvg();` to the OAP's OAL, or choose"
                " another indicator or entity"
            ),
        ),
    ],
)
def test_hint_for_a_virtual_target_names_its_own_metric(
    layer: str, meaning: MetricMeaning, candidates: tuple[str, ...], message: str
) -> None:
    known = ("service_cpm", "service_instance_cpm", "service_sla", "service_resp_time", "cache_access_sli")
    with pytest.raises(ProviderError) as caught:
        available_metric(meaning, candidates, known, entities_in(layer))

    assert caught.value.reason is Reason.METRIC_UNAVAILABLE
    assert str(caught.value) == message


def test_hint_of_an_oap_without_metrics_says_so() -> None:
    with pytest.raises(ProviderError) as caught:
        available_metric(MetricMeaning.CALLS, ("service_cpm",), (), entities_in())

    assert caught.value.hint.startswith("No metrics are known. Add `service_cpm = ")


def test_added_metric_does_not_replace_candidates() -> None:
    """An OAP that lacks the candidates but has the name of the OAL line has a metric of another OAL script."""
    with pytest.raises(ProviderError, match="OAP has no latency"):
        available_metric(MetricMeaning.LATENCY, ("other",), ("service_resp_time",), entities_in())
