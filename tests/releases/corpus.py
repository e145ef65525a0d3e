"""Corpus of a release: inputs of users with their meaning, and the schemas, in `tests/releases/X.Y.Z/`.

A later version must accept the inputs and give them the same meaning. docs/compatibility.md is the policy.
Usage: python -m tests.releases.corpus X.Y.Z     (a step of docs/release-checklist.md)
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from skywalking_provider.block import parse_block
from skywalking_provider.config import Config
from tests.install.install_tools import find_by_name, render, values_for_argo
from tools.compatibility.releases import Version

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SCHEMAS = {
    "block.schema.json": ROOT / "docs/block.schema.json",
    "values.schema.json": ROOT / "charts/skywalking-provider/values.schema.json",
}
_SNIPPET = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ARGUMENT = re.compile(r"\{\{\s*args\.[\w-]+\s*\}\}")
_HASH = "6c85f7bf4"
_CHART_KEYS = {"image", "mode", "bridge", "secrets", "existingConfig"}
_QUERY_KEYS = {"sli", "expression", "query", "alarms"}
_INVALID = "is not accepted"

Json = Any
Accept = Callable[[Json], Json]


@dataclass(frozen=True, slots=True)
class Entry:
    """An input and its meaning.

    Attributes:
        origin: File that it is from.
        content: What the user writes.
        meaning: What the version makes of it, with all defaults.
    """

    origin: str
    content: Json
    meaning: Json


def read_block(content: Json) -> Json:
    """Return the spec of a block."""
    return _plain(parse_block(json.dumps(content).encode()).model_dump(mode="json", by_alias=True))


def read_configuration(content: Json) -> Json:
    """Return a configuration of the service with its defaults."""
    return _plain(Config.model_validate(content).model_dump(mode="json", by_alias=True))


def read_values(content: Json) -> Json:
    """Return what chart values make: objects, selector, configuration, and arguments of service and bridge."""
    objects = render(content)
    meaning: dict[str, Json] = {"objects": {f"{each['kind']}/{each['metadata']['name']}": {} for each in objects.all}}
    argo = values_for_argo(content)
    plugins = argo["controller"]["metricProviderPlugins"]
    meaning["plugin"] = {key: value for key, value in plugins[0].items() if key in {"name", "args"}}
    if "ConfigMap/skywalking-provider" in meaning["objects"]:
        text = objects.get("ConfigMap", "skywalking-provider")["data"]["config.yaml"]
        meaning["configuration"] = read_configuration(yaml.safe_load(text))
    if "Deployment/skywalking-provider" in meaning["objects"]:
        spec = objects.get("Deployment")["spec"]
        meaning["selector"] = spec["selector"]  # Kubernetes does not allow a change
        containers = spec["template"]["spec"]["containers"]
    else:
        controller = argo["controller"]
        containers = [*controller.get("initContainers", []), *controller.get("extraContainers", [])]
    service = find_by_name(containers, "skywalking-provider")
    meaning["service"] = {key: service[key] for key in ("args", "ports")}
    return meaning


KINDS: Mapping[str, Accept] = {
    "blocks.json": read_block,
    "configurations.json": read_configuration,
    "values.json": read_values,
}


def collect() -> dict[str, list[Entry]]:
    """Return the inputs of this version's examples, ready templates and documentation, with their meaning."""
    found: dict[str, list[Entry]] = {name: [] for name in KINDS}
    for origin, content in _documents():
        for name, one in _classify(content):
            if all(entry.content != one for entry in found[name]):
                found[name].append(Entry(origin, one, KINDS[name](one)))
    return found


def write(folder: Path) -> None:
    """Write the corpus of this version to a folder."""
    folder.mkdir(parents=True)
    for name, entries in collect().items():
        text = json.dumps([asdict(entry) for entry in entries], indent=1, ensure_ascii=False)
        (folder / name).write_text(text + "\n")
    for name, path in SCHEMAS.items():
        (folder / name).write_text(path.read_text())


def find_changes(folder: Path) -> Iterator[str]:
    """Return a line for each input of a release that this version rejects or gives another meaning."""
    for name, accept in KINDS.items():
        for entry in (Entry(**fields) for fields in json.loads((folder / name).read_text())):
            place = f"{name.removesuffix('.json')} of {entry.origin}: {json.dumps(entry.content)[:80]}"
            try:
                meaning = accept(entry.content)
            except Exception as error:  # noqa: BLE001 - each reader has its own errors
                yield f"{place} {_INVALID}: {' '.join(str(error).split())[:300]}"
                continue
            yield from (f"{place} has another meaning: {line}" for line in _compare(entry.meaning, meaning, ""))


def select_versions(released: list[Version], current: Version) -> list[Version]:
    """Return the releases of this minor version and of the one before it."""
    minors = sorted({(one.major, one.minor) for one in released if one <= current}, reverse=True)
    own = (current.major, current.minor)
    covered = {own, *[one for one in minors if one != own][:1]}
    return sorted(one for one in released if one <= current and (one.major, one.minor) in covered)


def _compare(old: Json, new: Json, path: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in old.items():
            if key in new:
                yield from _compare(value, new[key], f"{path}/{key}")
            else:
                yield f"{path}/{key} is missing"
    elif old != new:
        yield f"{path} is {json.dumps(new)}, was {json.dumps(old)}"


def _documents() -> Iterator[tuple[str, Json]]:
    for pattern in ("examples/**/*.yaml", "charts/*/analysis-templates/*.yaml", "charts/*/ci/*.yaml"):
        for path in sorted(ROOT.glob(pattern)):
            for content in yaml.safe_load_all(_ARGUMENT.sub(_HASH, path.read_text())):
                yield str(path.relative_to(ROOT)), content
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for text in _SNIPPET.findall(path.read_text()):
            yield str(path.relative_to(ROOT)), yaml.safe_load(_ARGUMENT.sub(_HASH, text))


def _classify(content: Json) -> Iterator[tuple[str, Json]]:
    if not isinstance(content, dict):
        return
    if content.keys() & _QUERY_KEYS:
        yield "blocks.json", content
    elif content.keys() & {"backends", "existingConfig"}:
        yield ("values.json" if content.keys() & _CHART_KEYS else "configurations.json"), content
    else:
        yield from (("blocks.json", block) for block in _blocks(content))


def _blocks(node: Json) -> Iterator[Json]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "plugin" and isinstance(value, dict):
                yield from (one for one in value.values() if isinstance(one, dict))
            else:
                yield from _blocks(value)
    elif isinstance(node, list):
        for one in node:
            yield from _blocks(one)


def _plain(dumped: Json) -> Json:
    return json.loads(json.dumps(dumped, default=str))


if __name__ == "__main__":
    write(HERE / sys.argv[1])
