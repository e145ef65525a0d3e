"""Rules about blocks: secrets, written-out hashes, missing data, equal sides, names of plugins. No I/O."""

import re
from collections.abc import Iterator
from typing import Final

from rapidfuzz.distance import Indel

from skywalking_provider.block import JudgedSpec, OnNoData
from skywalking_provider.tools.check.template import RUN_KIND
from skywalking_provider.tools.lint.arguments import Path, argument_names
from skywalking_provider.tools.lint.blocks import Block
from skywalking_provider.tools.lint.findings import Problem
from skywalking_provider.tools.lint.objects import TemplateMetric
from skywalking_provider.tools.lint.registry import Rule

_SIMILAR: Final = 0.8
_SECRET_KEY: Final = re.compile(
    r"(?:authorization|password|passwd|token|secret|api-?_?key|credentials?)$", re.IGNORECASE | re.ASCII
)
_SECRET_TEXT: Final = re.compile(r"\s*(?:bearer|basic)\s+[\w.~+/=-]{8,}\s*$", re.IGNORECASE | re.ASCII)
_USER_INFO: Final = re.compile(r"^\s*\w+://[^/\s@]+@")
_SECRET_HINT: Final = "Put credentials into a backend of the provider's configuration"  # noqa: S105 - a hint
_HASH_PATHS: Final[tuple[Path, ...]] = (
    ("instances", "podTemplateHash"),
    ("compare", "instances", "podTemplateHash"),
)


def find_plugin_name_problem(metric: TemplateMetric, plugin: str) -> Iterator[Problem]:
    """Yield the problem of a plugin whose name resembles the configured one."""
    name = metric.provider
    if name == plugin or not metric.is_plugin:
        return
    similar = Indel.normalized_similarity(name[:128].lower(), plugin.lower()) >= _SIMILAR
    if similar or "skywalking" in name.lower():
        message = f"the plugin {name!r} is not {plugin}, and its block is not read"
        hint = f"Write {plugin}, or set --plugin-name"
        yield Problem(Rule.PLUGIN_NAME, message, hint, metric.block_path, at_key=True)


def find_block_problems(metric: TemplateMetric, block: Block) -> Iterator[Problem]:
    """Yield the problems of a block, each cause once."""
    secrets = list(_find_secrets(metric))
    yield from secrets
    hidden = {one.path for one in secrets}
    yield from (one for one in block.problems if one.path not in hidden)
    yield from _find_written_hashes(metric)
    spec = block.spec
    if spec is None:
        return
    if spec.on_no_data is OnNoData.SUCCESSFUL and block.knows("onNoData"):
        message = "a canary without any data is Successful"
        hint = "Remove onNoData: the rollout then pauses, and a person decides"
        yield Problem(Rule.BLOCK_NO_DATA, message, hint, (*metric.block_path, "onNoData"))
    if isinstance(spec, JudgedSpec) and spec.compares_itself:
        message = "both sides have the same calls: the canary is compared with itself"
        hint = "Select the canary with instances, and stable with compare.instances"
        yield Problem(Rule.BLOCK_SAME_SIDES, message, hint, (*metric.block_path, "compare"), at_key=True)


def _find_secrets(metric: TemplateMetric) -> Iterator[Problem]:
    depth = len(metric.block_path)
    for path, text, is_key in metric.texts:
        below = path[depth:]
        names = [name for name in argument_names(text) if name in metric.arguments.secrets] if "{{" in text else []
        if names:
            message = f"argument {names[0]} comes from a Secret, and the bridge rejects the measurement"
            yield Problem(Rule.BLOCK_SECRET, message, _SECRET_HINT, path, at_key=is_key)
        elif is_key or not below or path[:depth] != metric.block_path:
            continue
        elif isinstance(below[-1], str) and _SECRET_KEY.search(below[-1]):
            message = f"{'.'.join(map(str, below))} has a secret, which all readers of the template see"
            yield Problem(Rule.BLOCK_SECRET, message, _SECRET_HINT, path, at_key=True)
        elif _SECRET_TEXT.match(text) or _USER_INFO.match(text):
            message = f"{'.'.join(map(str, below))} has credentials, which all readers of the template see"
            yield Problem(Rule.BLOCK_SECRET, message, _SECRET_HINT, path)


def _find_written_hashes(metric: TemplateMetric) -> Iterator[Problem]:
    if metric.owner.kind == RUN_KIND:
        return
    for path in _HASH_PATHS:
        node = metric.owner.document.find((*metric.block_path, *path))
        if node is not None and isinstance(node.value, str) and node.value and "{{" not in node.value:
            message = f"{'.'.join(map(str, path))} is written out: the next version has another hash"
            hint = "Write an argument, and set it in the Rollout by podTemplateHashValue"
            yield Problem(Rule.BLOCK_HASH, message, hint, (*metric.block_path, *path))
