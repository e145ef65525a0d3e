"""A backend with `allowedNamespaces` does not exist for other namespaces: responses, messages and metadata."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.cli import app
from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import BackendRegistry, open_backends

QUERY = "query { metrics: listMetrics { name } }"
WIDE = """query q($duration: Duration!) { apdex: readMetricsValues(
  condition: {name: "service_apdex", entity: {scope: Service, serviceName: "a", normal: true}}, duration: $duration)
  { label values { values { value } } } }"""


@dataclass
class Setup:
    engine: Engine
    backends: BackendRegistry
    oap: MockOap

    async def run(self, namespace: str, **block: object) -> Measurement:
        return await self.engine.run(metric(**block), Run(namespace=namespace), Deadline.after(30))


def metric(**block: object) -> Metric:
    return Metric("apdex", "", "", json.dumps({"interval": "3m", "query": WIDE} | block).encode())


def configs(url: str) -> dict[str, BackendConfig]:
    keys = {
        "shared": {"url": url},
        "finance": {
            "url": "http://finance-oap:12800",
            "aliases": [f"{url}/finance"],
            "allowedNamespaces": ["finance", "audit-*"],
            "ui": "https://finance.example.org",
        },
    }
    return {name: BackendConfig.model_validate(one) for name, one in keys.items()}


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with AsyncExitStack() as stack:
        oap = await stack.enter_async_context(MockOap())
        backends = await stack.enter_async_context(open_backends(configs(oap.address), lambda: datetime.now(UTC)))
        evaluator = await stack.enter_async_context(open_condition_evaluator())
        yield Setup(Engine(backends, evaluator), backends, oap)


@pytest.mark.parametrize("namespace", ["finance", "audit-", "audit-eu", "audit-eu-west"])
async def test_allowed_namespace_selects_the_backend_by_name_and_address(setup: Setup, namespace: str) -> None:
    assert setup.backends.select("finance", None, namespace).connection.name == "finance"
    assert setup.backends.select(None, "http://finance-oap:12800", namespace).connection.name == "finance"


@pytest.mark.parametrize("namespace", ["team-a", "", "financ", "finance2", "my-audit-eu", "audit", "FINANCE", "*"])
@pytest.mark.parametrize("block", [{"backend": "finance"}, {"address": "http://finance-oap:12800"}])
async def test_other_namespaces_get_an_error_with_a_hint(setup: Setup, namespace: str, block: dict[str, str]) -> None:
    measurement = await setup.run(namespace, **block)

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith("BACKEND_NOT_FOUND ")
    assert f"configured for namespace {namespace}".strip() in measurement.message
    assert "An administrator adds a backend, an alias or an allowed namespace" in measurement.message
    assert setup.oap.requests == []


async def test_forbidden_backend_has_the_same_message_as_a_missing_one(setup: Setup) -> None:
    for key, forbidden_value, missing_value in (
        ("backend", "finance", "finanze"),
        ("address", "http://finance-oap:12800", "http://finanze-oap:12800"),
    ):
        forbidden = await setup.run("team-a", **{key: forbidden_value})
        unknown = await setup.run("team-a", **{key: missing_value})

        assert forbidden.message == unknown.message.replace("finanze", "finance")
        assert setup.engine.metadata(metric(**{key: forbidden_value})) == setup.engine.metadata(
            metric(**{key: missing_value})
        )


async def test_forbidden_backend_is_not_suggested(setup: Setup) -> None:
    measurement = await setup.run("team-a", backend="finance1")

    assert "did you mean" not in measurement.message.lower()
    assert "'finance'" not in measurement.message
    assert "Known backends: shared." in measurement.message


async def test_forbidden_backend_does_not_make_the_key_required(setup: Setup) -> None:
    assert setup.backends.select(None, None, "team-a").connection.name == "shared"
    with pytest.raises(ProviderError, match="Write one of finance, shared"):
        setup.backends.select(None, None, "finance")


async def test_conflicting_keys_do_not_name_a_forbidden_backend(setup: Setup) -> None:
    measurement = await setup.run("team-a", backend="shared", address=f"{setup.oap.address}/finance")

    assert measurement.message.startswith("BACKEND_NOT_FOUND address: no backend configured for namespace team-a has")
    assert "is backend finance" not in measurement.message


async def test_metadata_of_a_restricted_backend_has_neither_name_nor_link(setup: Setup) -> None:
    restricted = setup.engine.metadata(metric(backend="finance"))
    public = setup.engine.metadata(metric(backend="shared"))

    assert "readMetricsValues" in restricted["ResolvedSkyWalkingQuery"]
    assert not {"backend", "ui", "error"} & set(restricted)
    assert public["backend"] == "shared"
    for block in (
        {"sli": "success-rate", "service": {"name": "a", "subset": "canary"}, "window": "5m"},
        {"expression": "avg(a)", "service": "a.b", "window": "5m"},
    ):
        facts = setup.engine.metadata(Metric("m", "", "", json.dumps(block | {"backend": "finance"}).encode()))
        assert facts["service"] in ("name a, subset canary", "a.b")


async def test_cached_response_of_one_namespace_is_not_given_to_another() -> None:
    async with AsyncExitStack() as stack:
        oap = await stack.enter_async_context(MockOap())
        config = BackendConfig.model_validate(
            {
                "url": oap.address,
                "cache": {"responseTtl": "20s", "verdictTtl": "10s"},
                "clockTtl": "60s",
                "allowedNamespaces": ["team-a"],
            }
        )
        backends = await stack.enter_async_context(open_backends({"prod": config}, lambda: datetime.now(UTC)))
        evaluator = await stack.enter_async_context(open_condition_evaluator())
        setup = Setup(Engine(backends, evaluator), backends, oap)
        allowed = await setup.run("team-a")
        requests = len(oap.requests)

        rejected = await setup.run("team-b")
        resumed = await setup.engine.resume(
            metric(), Run(namespace="team-b"), Measurement(Phase.RUNNING, datetime.now(UTC)), Deadline.after(30)
        )

    assert allowed.message.startswith("NO_DATA")
    for one in (rejected, resumed):
        assert one.message.startswith("BACKEND_NOT_FOUND no backend is configured for namespace team-b")
        assert one.value == ""
    assert len(oap.requests) == requests


@pytest.mark.parametrize("pattern", ["", "Team-A", "team_a", "team a", "-a", "a-", "a/b", "[ab]", "?", "a" * 64])
def test_invalid_namespace_pattern_is_rejected(pattern: str) -> None:
    with pytest.raises(ValidationError):
        BackendConfig.model_validate({"url": "http://oap", "allowedNamespaces": [pattern]})


def test_empty_allowed_namespaces_are_rejected() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        BackendConfig.model_validate({"url": "http://oap", "allowedNamespaces": []})


names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)


@settings(deadline=None)
@given(name=names, others=st.lists(names, min_size=1, max_size=3))
def test_pattern_without_stars_matches_itself_only(name: str, others: list[str]) -> None:
    config = BackendConfig.model_validate({"url": "http://oap", "allowedNamespaces": others})

    assert config.allows(name) == (name in others)
    assert not config.allows(None)


TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: apdex}
spec:
  metrics:
  - name: apdex
    successCondition: "true"
    provider: {plugin: {skywalking/metrics: {sli: apdex, service: a.b, window: 5m}}}
"""


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ([], 2, "BACKEND_NOT_FOUND no backend is configured for namespace default"),
        (["-n", "team-a"], 3, "OAP_UNAVAILABLE"),
        (["--namespace", "team-b"], 2, "BACKEND_NOT_FOUND no backend is configured for namespace team-b"),
    ],
)
def test_check_uses_the_backends_of_its_namespace(
    tmp_path: Path, arguments: list[str], code: int, expected: str
) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "config.yaml").write_text(
        "backends: {prod: {url: 'http://127.0.0.1:9', allowedNamespaces: [team-a], retries: 0}}"
    )
    files = ["-f", str(tmp_path / "template.yaml"), "-c", str(tmp_path / "config.yaml")]

    result = CliRunner().invoke(app, ["check", *files, *arguments])

    assert result.exit_code == code
    assert expected in result.output
