"""Lints texts in the test's process, and reads the wrong templates of `data/cases`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from skywalking_provider.config import Config
from skywalking_provider.tools.lint.linter import LintContext, Linter, LintReport
from skywalking_provider.tools.lint.prober import Prober
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.rules.backends import Backends, open_configured
from skywalking_provider.tools.lint.sources import Source, read_sources

ROOT = Path(__file__).parents[3]
DATA = Path(__file__).parent / "data"
PLUGIN = "skywalking/metrics"
CASE = re.compile(r"^### (.*)\n((?:(?!### ).*\n)*)", re.MULTILINE)
HEAD = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: t}
spec:
  args:
  - name: canary-hash
  - name: stable-hash
  - name: service
  - {name: five, value: "5"}
  - {name: token, valueFrom: {secretKeyRef: {name: oap, key: token}}}
  metrics:
"""
CONFIG = {
    "backends": {
        "default": {"url": "http://oap.istio-system:12800"},
        "payments": {"url": "http://oap.payments:12800", "allowedNamespaces": ["payments"]},
    }
}

VERSION = (9, 6)


@dataclass(frozen=True)
class Case:
    """A wrong template."""

    rule: str
    name: str
    text: str


def wrap(text: str) -> str:
    """Return a template; entries of `spec.metrics` get one around them."""
    if not text.lstrip("# \n").startswith(("- name", "- &")) and "\n- name: " not in f"\n{text}":
        return text
    if re.search(r"^(apiVersion|kind|a|a00):", text, re.MULTILINE):
        return text
    return HEAD + "".join(f"  {line}\n" for line in text.splitlines())


def read_cases() -> Iterator[Case]:
    """Yield the wrong templates of all rules."""
    for file in sorted((DATA / "cases").glob("*.yaml")):
        for name, text in CASE.findall(file.read_text()):
            yield Case(file.stem, name, wrap(text))


def context_of(rule: str, backends: Backends, plugin: str = PLUGIN) -> LintContext:
    """Return the facts about the installation that a rule needs."""
    version = VERSION if rule == Rule.OAP_VERSION else None
    return LintContext(plugin, backends if rule == Rule.BLOCK_BACKEND else None, version)


def read_right_templates() -> dict[str, str]:
    """Return templates without a mistake, many of them at the limit of a rule."""
    return {name: wrap(text) for name, text in CASE.findall((DATA / "right.yaml").read_text())}


async def lint(*sources: Source, rule: str = "", plugin: str = PLUGIN) -> LintReport:
    async with Prober() as prober, open_configured(Config.model_validate(CONFIG).backends) as backends:
        return await Linter(prober, context_of(rule, backends, plugin)).lint(sources)


async def lint_text(text: str, *, rule: str = "", plugin: str = PLUGIN) -> LintReport:
    return await lint(Source("t.yaml", text), rule=rule, plugin=plugin)


async def lint_paths(*paths: Path | str, stdin: bytes = b"") -> LintReport:
    async with Prober() as prober:
        return await Linter(prober, LintContext(PLUGIN)).lint(
            read_sources([str(path) for path in paths], BytesIO(stdin))
        )
