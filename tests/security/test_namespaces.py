"""A backend with `allowedNamespaces` does not exist for others: not in answers, not in messages, not in metadata."""

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
class Place:
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
async def place() -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        oap = await stack.enter_async_context(MockOap())
        backends = await stack.enter_async_context(open_backends(configs(oap.address), lambda: datetime.now(UTC)))
        languages = await stack.enter_async_context(open_condition_evaluator())
        yield Place(Engine(backends, languages), backends, oap)


@pytest.mark.parametrize("namespace", ["finance", "audit-", "audit-eu", "audit-eu-west"])
async def test_an_allowed_namespace_selects_it_by_name_and_by_address(place: Place, namespace: str) -> None:
    assert place.backends.select("finance", None, namespace).name == "finance"
    assert place.backends.select(None, "http://finance-oap:12800", namespace).name == "finance"


@pytest.mark.parametrize("namespace", ["team-a", "", "financ", "finance2", "my-audit-eu", "audit", "FINANCE", "*"])
@pytest.mark.parametrize("block", [{"backend": "finance"}, {"address": "http://finance-oap:12800"}])
async def test_any_other_namespace_gets_an_error_with_the_remedy(
    place: Place, namespace: str, block: dict[str, str]
) -> None:
    measurement = await place.run(namespace, **block)

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith("BACKEND_NOT_FOUND ")
    assert f"configured for namespace {namespace}".strip() in measurement.message
    assert "An administrator adds a backend, an alias or an allowed namespace" in measurement.message
    assert place.oap.requests == []


async def test_nothing_tells_a_forbidden_backend_from_one_that_does_not_exist(place: Place) -> None:
    for key, there, absent in (
        ("backend", "finance", "finanze"),
        ("address", "http://finance-oap:12800", "http://finanze-oap:12800"),
    ):
        forbidden = await place.run("team-a", **{key: there})
        unknown = await place.run("team-a", **{key: absent})

        assert forbidden.message == unknown.message.replace("finanze", "finance")
        assert place.engine.metadata(metric(**{key: there})) == place.engine.metadata(metric(**{key: absent}))


async def test_a_name_that_is_almost_right_is_no_way_to_find_it(place: Place) -> None:
    measurement = await place.run("team-a", backend="finance1")

    assert "did you mean" not in measurement.message.lower()
    assert "'finance'" not in measurement.message
    assert "Known backends: shared." in measurement.message


async def test_its_existence_does_not_make_the_key_required_for_others(place: Place) -> None:
    assert place.backends.select(None, None, "team-a").name == "shared"
    with pytest.raises(ProviderError, match="write one of finance, shared"):
        place.backends.select(None, None, "finance")


async def test_both_keys_together_tell_no_name_of_a_forbidden_owner(place: Place) -> None:
    measurement = await place.run("team-a", backend="shared", address=f"{place.oap.address}/finance")

    assert measurement.message.startswith("BACKEND_NOT_FOUND address: no backend configured for namespace team-a has")
    assert "is backend finance" not in measurement.message


async def test_metadata_tells_the_query_but_neither_name_nor_link_of_a_restricted_backend(place: Place) -> None:
    restricted = place.engine.metadata(metric(backend="finance"))
    public = place.engine.metadata(metric(backend="shared"))

    assert "readMetricsValues" in restricted["ResolvedSkyWalkingQuery"]
    assert not {"backend", "ui", "error"} & set(restricted)
    assert public["backend"] == "shared"
    for block in (
        {"sli": "success-rate", "service": {"name": "a", "subset": "canary"}, "window": "5m"},
        {"expression": "avg(a)", "service": "a.b", "window": "5m"},
    ):
        facts = place.engine.metadata(Metric("m", "", "", json.dumps(block | {"backend": "finance"}).encode()))
        assert facts["service"] in ("name a, subset canary", "a.b")


async def test_an_answer_kept_for_one_namespace_is_not_told_to_another() -> None:
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
        languages = await stack.enter_async_context(open_condition_evaluator())
        place = Place(Engine(backends, languages), backends, oap)
        allowed = await place.run("team-a")
        asked = len(oap.requests)

        refused = await place.run("team-b")
        resumed = await place.engine.resume(
            metric(), Run(namespace="team-b"), Measurement(Phase.RUNNING, datetime.now(UTC)), Deadline.after(30)
        )

    assert allowed.message.startswith("NO_DATA")
    for one in (refused, resumed):
        assert one.message.startswith("BACKEND_NOT_FOUND no backend is configured for namespace team-b")
        assert one.value == ""
    assert len(oap.requests) == asked


@pytest.mark.parametrize("pattern", ["", "Team-A", "team_a", "team a", "-a", "a-", "a/b", "[ab]", "?", "a" * 64])
def test_a_pattern_is_a_name_with_stars(pattern: str) -> None:
    with pytest.raises(ValidationError):
        BackendConfig.model_validate({"url": "http://oap", "allowedNamespaces": [pattern]})


def test_an_empty_list_is_refused_rather_than_guessed_at() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        BackendConfig.model_validate({"url": "http://oap", "allowedNamespaces": []})


names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)


@settings(deadline=None)
@given(name=names, others=st.lists(names, min_size=1, max_size=3))
def test_a_name_without_stars_allows_itself_only(name: str, others: list[str]) -> None:
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
    ("arguments", "code", "words"),
    [
        ([], 2, "BACKEND_NOT_FOUND no backend is configured for namespace default"),
        (["-n", "team-a"], 3, "OAP_UNAVAILABLE"),
        (["--namespace", "team-b"], 2, "BACKEND_NOT_FOUND no backend is configured for namespace team-b"),
    ],
)
def test_check_measures_as_a_run_of_the_namespace_would(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "config.yaml").write_text(
        "backends: {prod: {url: 'http://127.0.0.1:9', allowedNamespaces: [team-a], retries: 0}}"
    )
    files = ["-f", str(tmp_path / "template.yaml"), "-c", str(tmp_path / "config.yaml")]

    result = CliRunner().invoke(app, ["check", *files, *arguments])

    assert result.exit_code == code
    assert words in result.output
