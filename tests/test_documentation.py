"""README and docs: the provider parses every YAML snippet, and the examples run."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.block import parse_block
from skywalking_provider.config import Config
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.model import Deadline, Metric, Phase, Run
from skywalking_provider.oap import open_backends

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = sorted(
    page for pattern in ("*.md", "docs/**/*.md", "charts/*/*.md", "examples/*/*.md") for page in ROOT.glob(pattern)
)
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
SNIPPET = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
ARGUMENTS = {
    "canary-hash": "6c85f7bf4",
    "service-name": "canary|reviews|bookinfo|cluster-1|-",
    "hash": "6c85f7bf4",
    "replicaset": "guestbook-6c85f7bf4-2-1-canary",
}
PLUGIN = "skywalking/metrics"
CHART_VALUES = json.loads((ROOT / "charts" / "skywalking-provider" / "values.schema.json").read_text())


def snippets() -> Iterator[Any]:
    for page in PAGES:
        for number, found in enumerate(SNIPPET.finditer(page.read_text()), start=1):
            yield pytest.param(found[1], id=f"{page.name}-{number}")


def resolved(text: str) -> Any:
    return yaml.safe_load(re.sub(r"\{\{\s*args\.([\w-]+)\s*\}\}", lambda name: ARGUMENTS[name[1]], text))


def blocks(node: Any) -> Iterator[dict[str, Any]]:
    """Every block under provider.plugin, at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "plugin" and isinstance(value, dict):
                yield from value.values()
            else:
                yield from blocks(value)
    elif isinstance(node, list):
        for one in node:
            yield from blocks(one)


@pytest.mark.parametrize("text", list(snippets()))
def test_every_yaml_snippet_is_accepted_by_the_provider(text: str) -> None:
    content = resolved(text)
    match content:
        case {"image": dict()} | {"bridge": dict()}:
            jsonschema.validate(content, CHART_VALUES)
        case {"backends": dict()}:
            Config.model_validate(content)
        case {"services": list()}:
            parse_scenario(text, "docs")
        case {"data": {"metricProviderPlugins": str(plugins)}}:
            assert [plugin["name"] for plugin in yaml.safe_load(plugins)] == [PLUGIN]
        case {"sli": _} | {"expression": _} | {"query": _}:
            parse_block(json.dumps(content).encode())
        case {"conditions": dict()}:
            parse_block(json.dumps({"sli": "apdex", "window": "5m", "service": "a.b"} | content).encode())
        case (
            {"args": [{"name": str(), "valueFrom": dict()}]}
            | [{"analysis": {"args": list()}}]
            | [{"experiment": {"analyses": list()}}]
            | {"env": list()}
        ):
            pass  # the analysis in a Rollout, its experiment, and an agent's container
        case {"provider": {"skywalking": dict()}} | {"spec": {"metrics": [{"provider": {"skywalking": _}}]}}:
            pass  # the built-in provider's: what migrate begins with
        case _:
            found = list(blocks(content))
            assert found, "a snippet of a kind that no test reads"
            for block in found:
                parse_block(json.dumps(block).encode())


@pytest.mark.parametrize("text", list(snippets()))
def test_template_snippet_has_only_sources_of_arguments_that_argo_accepts(text: str) -> None:
    content = resolved(text)
    if isinstance(content, dict) and content.get("kind") in ("AnalysisTemplate", "ClusterAnalysisTemplate"):
        for argument in content["spec"].get("args", []):
            assert argument.get("valueFrom", {}).keys() <= {"secretKeyRef", "fieldRef"}


def anchors(page: str) -> set[str]:
    """Of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page), re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower())) for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_has_a_target(page: Path) -> None:
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


async def test_readme_template_for_the_mocks_bad_canary_fails_with_an_explanation() -> None:
    template = SNIPPET.search((ROOT / "README.md").read_text())
    assert template
    (metric,) = resolved(template[1])["spec"]["metrics"]
    requested = Metric(
        metric["name"], metric["successCondition"], "", json.dumps(metric["provider"]["plugin"][PLUGIN]).encode()
    )

    def noon() -> datetime:
        return datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)

    async with MockOap("bad-canary", clock=noon) as oap, open_condition_evaluator() as languages:
        config = Config.model_validate({"backends": {"prod": {"url": oap.url}}})
        async with open_backends(config.backends, noon) as backends:
            measurement = await Engine(backends, languages, noon).run(requested, Run(), Deadline.after(10))

    assert (measurement.phase, measurement.value) == (Phase.FAILED, "0.95")
    assert measurement.message == (
        'CONDITION_NOT_MET success-rate 0.95, wanted "result >= 0.99" · 600 calls in 10 buckets'
        " · 1 instance of 6c85f7bf4 · 11:49–11:59 +0000 · backend prod"
    )


@pytest.mark.parametrize("page", ["docs/glossary.md", "docs/architecture.md", "CONTRIBUTING.md"])
def test_modules_named_in_glossary_and_architecture_exist(page: str) -> None:
    named = re.findall(r"`([\w.*/-]+(?:/|\.py|\.go))`", (ROOT / page).read_text())
    missing = [
        path
        for path in named
        if not any(
            list(ROOT.glob(f"{root}{path.removesuffix('/')}"))
            for root in ("", "skywalking_provider/", "bridge/internal/provider/")
        )
    ]

    assert not missing


def test_package_tree_in_architecture_has_every_layer() -> None:
    tree = (ROOT / "docs" / "architecture.md").read_text()
    packages = {
        path.stem
        for path in (ROOT / "skywalking_provider").iterdir()
        if path.stem[0] not in "_." and path.suffix in ("", ".py")
    }

    assert not {name for name in packages if not re.search(rf"\b{name}\b", tree)}
