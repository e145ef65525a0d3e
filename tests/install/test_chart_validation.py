"""Validation of the chart's values: every message names the key and the next step."""

from pathlib import Path
from typing import Any

import pytest

from tests.install.install_tools import DEPLOYMENT, HELMS, OVER_HTTP, SIDECAR, HelmError, helm_template


def nest(path: str, value: Any) -> dict[str, Any]:
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
        ("image.repository", ""),
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
        ("bridge.release.url", "ftp://mirror.example.org"),
        ("bridge.release.url", "https://mirror.example.org/"),
        ("bridge.release.platform", "darwin-arm64"),
        ("bridge.release.sha256.linux-amd64", "deadbeef"),
        ("replicaCount", "2"),
        ("networkPolicy.enabled", "yes please"),
        ("tls.certManager.issuerRef", {"kind": "ClusterIssuer"}),
        ("log.level", "verbose"),
        ("extraEnv", {"A": "b"}),
    ],
)
def test_schema_invalid_value_is_rejected(path: str, value: Any, helm: str) -> None:
    with pytest.raises(HelmError) as failure:
        helm_template(SIDECAR, nest(path, value), helm=helm)

    output = str(failure.value)
    assert "values don't meet the specifications of the schema" in output
    assert any(key in output for key in path.split("."))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "backends: no OAP is configured"),
        (
            {"existingConfig": {"secret": "a", "configMap": "b"}},
            "existingConfig: secret and configMap are both set",
        ),
        (
            {"existingConfig": {"secret": "a"}, "backends": {"a": {"url": "http://oap:12800"}}},
            "backends: existingConfig already contains the backends",
        ),
    ],
)
def test_chart_missing_or_duplicate_value_is_rejected(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HelmError, match=message):
        helm_template(values)


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({}, {"kubernetes": "1.28.3"}, r"Kubernetes v1.28.3 has no native sidecars, .* Set sidecar.native=false"),
        ({}, {"kubernetes": "1.24.0"}, "incompatible with Kubernetes"),
        ({"argoRollouts": {"namespace": "argo"}}, {}, "Install the release into namespace argo"),
        ({"bridge": {"delivery": "http"}}, {}, "http requires mode=deployment"),
        ({"mode": "deployment"}, {}, "tls: no certificates are configured. Set tls.certManager.enabled=true"),
        ({"argoRollouts": {"currentValues": "a: [b", "printValues": True}}, {}, "currentValues: not valid YAML"),
        (
            {"argoRollouts": {"currentValues": "a: b"}},
            {},
            "currentValues: may contain secrets, which must not be in a ConfigMap",
        ),
        ({"plugin": {"runTimeout": "15.1s"}}, {}, "runTimeout: 15.1s is more than 15s, .* Set plugin.runTimeout=15s"),
        ({"plugin": {"runTimeout": "1m"}}, {}, "runTimeout: 1m is more than 15s"),
        ({"plugin": {"runTimeout": "999ms"}}, {}, "runTimeout: 999ms is less than 1s, .* Set plugin.runTimeout=1s"),
    ],
)
def test_sidecar_invalid_combination_is_rejected(
    changed: dict[str, Any], options: dict[str, str], message: str
) -> None:
    with pytest.raises(HelmError, match=message):
        helm_template(SIDECAR, changed, **options)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"argoRollouts": {"namespace": "other"}}, "Set a ClusterIssuer, or install the release into namespace other"),
        ({"bridge": {"delivery": "http"}}, "bridge.http: version or sha256 is missing"),
        (
            {"bridge": {"delivery": "release", "release": {"platform": "linux-arm64"}}},
            "no SHA-256 for linux-arm64, .* Set bridge.release.sha256.linux-arm64 as SHA256SUMS of release v0.1.0",
        ),
        (
            {"autoscaling": {"minReplicas": 7}},
            "minReplicas 7 is more than maxReplicas 6. Lower autoscaling.minReplicas or raise autoscaling.maxReplicas",
        ),
        (
            {"drain": "30s"},
            "drain: 30s is not less than terminationGracePeriodSeconds 30, .* raise terminationGracePeriodSeconds",
        ),
        ({"drain": "1m0.5s", "terminationGracePeriodSeconds": 60}, "drain: 1m0.5s is not less"),
        ({"plugin": {"runTimeout": "16s"}}, "runTimeout: 16s is more than 15s"),
    ],
)
def test_deployment_invalid_combination_is_rejected(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(HelmError, match=message):
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
def test_deployment_value_at_the_limit_is_accepted(changed: dict[str, Any], helm: str) -> None:
    assert helm_template(DEPLOYMENT, changed, helm=helm)


@pytest.mark.parametrize(
    ("values", "changed"),
    [
        (SIDECAR, {"drain": "40s", "autoscaling": {"enabled": True, "minReplicas": 7}}),
        (OVER_HTTP, {"drain": "40s"}),
    ],
    ids=["beside the controller", "with existingConfig"],
)
def test_chart_unused_invalid_value_is_accepted(values: Path, changed: dict[str, Any]) -> None:
    assert helm_template(values, changed)
