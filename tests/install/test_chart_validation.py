"""What the chart refuses, and that it says where and what to do."""

from pathlib import Path
from typing import Any

import pytest

from tests.install.install_tools import DEPLOYMENT, HELMS, OVER_HTTP, SIDECAR, HelmError, helm_template

IMAGE = {"image": {"repository": "r"}}


def nested(path: str, value: Any) -> dict[str, Any]:
    *parents, last = path.split(".")
    whole: dict[str, Any] = {last: value}
    for key in reversed(parents):
        whole = {key: whole}
    return whole


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("modus", "sidecar"),
        ("mode", "daemonset"),
        ("image.repo", "r"),
        ("image.tag", "a tag"),
        ("image.digest", "sha256:abc"),
        ("backends.prod.uri", "http://oap:12800"),
        ("backends.prod.url", "oap:12800"),
        ("backends.prod.url", "http://argo:secret@oap:12800"),
        ("backends.prod.basic.password", "secret"),
        ("backends.prod.bearer", {"token": "secret"}),
        ("backends.prod.headers.authorization", "Basic c2VjcmV0"),
        ("backends.prod.headers.Proxy-Authorization", "Basic c2VjcmV0"),
        ("backends.prod.headers.cookie", "session=c2VjcmV0"),
        ("backends.prod.timeout", "5 seconds"),
        ("backends.prod.maxRequests", 0),
        ("backends.Prod", {"url": "http://oap:12800"}),
        ("secrets", "oap-credentials"),
        ("secrets", ["Not A Name"]),
        ("plugin.name", "skywalking"),
        ("plugin.outageGrace", "5"),
        ("bridge.delivery", "ftp"),
        ("bridge.http.sha256", "deadbeef"),
        ("bridge.http.platform", "windows-amd64"),
        ("replicaCount", "2"),
        ("networkPolicy.enabled", "yes please"),
        ("tls.certManager.issuerRef", {"kind": "ClusterIssuer"}),
        ("log.level", "verbose"),
        ("extraEnv", {"A": "b"}),
    ],
)
def test_the_schema_refuses_what_is_no_value_of_the_chart(path: str, value: Any, helm: str) -> None:
    with pytest.raises(HelmError) as refusal:
        helm_template(SIDECAR, nested(path, value), helm=helm)

    said = str(refusal.value)
    assert "values don't meet the specifications of the schema" in said
    assert any(key in said for key in path.split("."))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "backends: name at least one OAP"),
        ({"backends": {"a": {"url": "http://oap:12800"}}}, "image.repository: name where you keep the image"),
        (IMAGE | {"existingConfig": {"secret": "a", "configMap": "b"}}, "name a Secret or a ConfigMap, not both"),
        (
            IMAGE | {"existingConfig": {"secret": "a"}, "backends": {"a": {"url": "http://oap:12800"}}},
            "backends: existingConfig has them already",
        ),
    ],
)
def test_what_is_missing_is_named(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HelmError, match=sentence):
        helm_template(values)


@pytest.mark.parametrize(
    ("changed", "how", "sentence"),
    [
        ({}, {"kubernetes": "1.28.3"}, r"Kubernetes v1.28.3 has no native sidecars .* set sidecar.native=false"),
        ({}, {"kubernetes": "1.24.0"}, "incompatible with Kubernetes"),
        ({"argoRollouts": {"namespace": "argo"}}, {}, "install it into argo"),
        ({"bridge": {"delivery": "http"}}, {}, "http needs mode=deployment"),
        ({"mode": "deployment"}, {}, "set tls.certManager.enabled=true, or name your own Secrets"),
        ({"argoRollouts": {"currentValues": "a: [b", "printValues": True}}, {}, "currentValues: is not YAML"),
        (
            {"argoRollouts": {"currentValues": "a: b"}},
            {},
            "currentValues: may hold secrets, which are not for a ConfigMap",
        ),
        ({"plugin": {"runTimeout": "15.1s"}}, {}, "runTimeout: 15.1s is more than 15s, .* set plugin.runTimeout=15s"),
        ({"plugin": {"runTimeout": "1m"}}, {}, "runTimeout: 1m is more than 15s"),
        ({"plugin": {"runTimeout": "999ms"}}, {}, "runTimeout: 999ms is less than 1s, .* set plugin.runTimeout=1s"),
    ],
)
def test_beside_the_controller_what_cannot_work_is_told_before_it_is_tried(
    changed: dict[str, Any], how: dict[str, str], sentence: str
) -> None:
    with pytest.raises(HelmError, match=sentence):
        helm_template(SIDECAR, changed, **how)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"argoRollouts": {"namespace": "other"}}, "name a ClusterIssuer, or install into other"),
        ({"bridge": {"delivery": "http"}}, "bridge.http: name version and sha256"),
        (
            {"autoscaling": {"minReplicas": 7}},
            "minReplicas 7 is more than maxReplicas 6; lower autoscaling.minReplicas or raise autoscaling.maxReplicas",
        ),
        (
            {"drain": "30s"},
            "drain: 30s is not less than terminationGracePeriodSeconds 30, .* raise terminationGracePeriodSeconds",
        ),
        ({"drain": "1m0.5s", "terminationGracePeriodSeconds": 60}, "drain: 1m0.5s is not less"),
        ({"plugin": {"runTimeout": "16s"}}, "runTimeout: 16s is more than 15s"),
    ],
)
def test_as_a_deployment_what_cannot_work_is_told_before_it_is_tried(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HelmError, match=sentence):
        helm_template(DEPLOYMENT, changed)


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    "changed",
    [
        {"autoscaling": {"minReplicas": 6}},
        {"autoscaling": {"enabled": False, "minReplicas": 9}},
        {"drain": "29.999s"},
        {"drain": "0.5m", "terminationGracePeriodSeconds": 31},
        {"plugin": {"runTimeout": "15s"}},
        {"plugin": {"runTimeout": "1000ms"}},
    ],
    ids=str,
)
def test_what_just_works_is_taken(changed: dict[str, Any], helm: str) -> None:
    assert helm_template(DEPLOYMENT, changed, helm=helm)


@pytest.mark.parametrize(
    ("values", "changed"),
    [
        (SIDECAR, {"drain": "40s", "autoscaling": {"enabled": True, "minReplicas": 7}}),
        (OVER_HTTP, {"drain": "40s"}),
    ],
    ids=["beside the controller", "with a configuration of one's own"],
)
def test_values_that_the_chart_does_not_use_refuse_nothing(values: Path, changed: dict[str, Any]) -> None:
    assert helm_template(values, changed)
