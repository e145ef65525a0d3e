"""README and docs: the provider parses every YAML snippet, and the examples run."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.block import parse_block
from skywalking_provider.config import Config
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
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
    "stable-hash": "7d4f9c8b65",
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
def test_every_yaml_snippet_is_accepted_by_the_provider(text: str) -> None:  # noqa: C901 - one case for each kind
    content = resolved(text)
    match content:
        case {"image": dict()} | {"bridge": dict()} | {"mode": str()} | {"secrets": list()}:
            jsonschema.validate(content, CHART_VALUES)
        case {"backends": dict()}:
            Config.model_validate(content)
        case {"services": list()}:
            parse_scenario(text, "docs")
        case {"data": {"metricProviderPlugins": str(plugins)}}:
            assert [plugin["name"] for plugin in yaml.safe_load(plugins)] == [PLUGIN]
        case {"controller": {"metricProviderPlugins": list(plugins)}}:
            assert [plugin["name"] for plugin in plugins] == [PLUGIN]
        case {"sli": _} | {"expression": _} | {"query": _} | {"alarms": _}:
            parse_block(json.dumps(content).encode())
        case {"conditions": dict()}:
            parse_block(json.dumps({"sli": "apdex", "window": "5m", "service": "a.b"} | content).encode())
        case (
            {"args": [{"name": str(), "valueFrom": dict()}]}
            | {"rules": dict()}
            | [{"analysis": {"args": list()}}]
            | [{"experiment": {"analyses": list()}}]
            | {"env": list()}
        ):
            pass  # the analysis in a Rollout, its experiment, an agent's container, and an OAP's alarm rules
        case {"kind": "Rollout"}:
            pass  # its references have a test of their own
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


NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)


async def measure(template: dict[str, Any], scenario: str, minutes: int) -> Measurement:
    """Measure the only metric of a template, in a run that started some minutes ago."""
    (metric,) = template["spec"]["metrics"]
    block = json.dumps(metric["provider"]["plugin"][PLUGIN]).encode()
    requested = Metric(metric["name"], metric.get("successCondition", ""), metric.get("failureCondition", ""), block)
    run = Run(started_at=NOON - timedelta(minutes=minutes))
    async with MockOap(scenario, clock=lambda: NOON) as oap, open_condition_evaluator() as languages:
        config = Config.model_validate({"backends": {"prod": {"url": oap.url}}})
        async with open_backends(config.backends, lambda: NOON) as backends:
            return await Engine(backends, languages, lambda: NOON, cause_limits=CauseLimits(60)).run(
                requested, run, Deadline.after(60)
            )


async def test_readme_template_for_the_mocks_bad_canary_fails_with_the_message_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    template = SNIPPET.search(readme)
    assert template
    measurement = await measure(resolved(template[1]), "bad-canary", minutes=10)

    assert measurement.phase is Phase.FAILED
    assert measurement.message in readme.splitlines()


def judgement_page() -> dict[str, list[dict[str, Any]]]:
    """Objects of docs/judgement.md by kind."""
    objects: dict[str, list[dict[str, Any]]] = {"AnalysisTemplate": [], "Rollout": []}
    for snippet in SNIPPET.finditer((ROOT / "docs" / "judgement.md").read_text()):
        content = resolved(snippet[1])
        objects.setdefault(content.get("kind", ""), []).append(content)
    return objects


@pytest.mark.parametrize(("scenario", "phase"), [("healthy-canary", Phase.SUCCESSFUL), ("bad-canary", Phase.FAILED)])
@pytest.mark.parametrize("name", ["compare-step", "compare-background", "objective-step"])
async def test_judged_template_of_the_docs_finds_the_canary_of_the_mock(name: str, scenario: str, phase: Phase) -> None:
    (template,) = [one for one in judgement_page()["AnalysisTemplate"] if one["metadata"]["name"] == name]

    assert (await measure(template, scenario, minutes=20)).phase is phase


def test_rollouts_of_the_docs_pass_every_argument_of_their_templates() -> None:
    page = judgement_page()
    declared = {
        one["metadata"]["name"]: {argument["name"] for argument in one["spec"]["args"]}
        for one in page["AnalysisTemplate"]
    }
    used = set()
    for rollout in page["Rollout"]:
        canary = rollout["spec"]["strategy"]["canary"]
        steps = [step["analysis"] for step in canary["steps"] if "analysis" in step]
        for analysis in [canary["analysis"], *steps] if "analysis" in canary else steps:
            passed = {one["name"]: one["valueFrom"]["podTemplateHashValue"] for one in analysis["args"]}
            for each in analysis["templates"]:
                used.add(each["templateName"])
                assert passed.keys() == declared[each["templateName"]]
            assert passed | {"canary-hash": "Latest"} == passed
            assert passed.get("stable-hash", "Stable") == "Stable"

    assert used == declared.keys()


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
