"""Where the metrics of AnalysisTemplates and ClusterAnalysisTemplates stand: in any document, also in a List."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from yaml.nodes import MappingNode, Node, ScalarNode

from skywalking_provider.tools.migrate.yaml_nodes import MigrationError, child, entries, items, line_number, text
from skywalking_provider.tools.templates import BUILT_IN_PROVIDER, TEMPLATE_KINDS, is_argo_object, is_list


@dataclass(frozen=True, slots=True)
class BlockLocation:
    """One metric whose block is, or may be, ours.

    Attributes:
        template: The template's name.
        metric: The metric's name.
        key: `skywalking`, or the plugin's name.
        block: The block.
        flow: Whether the mapping around the key is in flow style.
        built_in: Whether the block is the built-in provider's.
        conditions: The metric's conditions by key, each as key and value.
        secrets: The template's arguments whose values are secrets.
    """

    template: str
    metric: str
    key: ScalarNode
    block: Node
    flow: bool
    built_in: bool
    conditions: dict[str, tuple[ScalarNode, ScalarNode]]
    secrets: frozenset[str]

    @property
    def line(self) -> int:
        """Where the block begins."""
        return line_number(self.key)


@dataclass(slots=True)
class BlockLocations:
    """What a file has: metrics, and lines on what is left as it is though it reads SkyWalking."""

    locations: list[BlockLocation] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)


def find_blocks(roots: list[Node], plugin: str) -> BlockLocations:
    """The metrics of a file's documents.

    Args:
        roots: The documents.
        plugin: The plugin's name.

    Raises:
        MigrationError: A metric has several providers, or one that is merged from elsewhere.
    """
    found = BlockLocations()
    seen: set[int] = set()
    for root in roots:
        for document in _iter_documents(root):
            kind = text(child(document, "kind"))
            for place in _iter_locations(document, plugin) if _is_argo(document) else ():
                if kind not in TEMPLATE_KINDS:
                    if place.built_in:
                        what = f"{kind} {place.template} is no template: its metric {place.metric} is left as it is"
                        found.skipped.append((place.line, what))
                elif id(place.key) not in seen:  # a provider that is an alias is written once
                    seen.add(id(place.key))
                    found.locations.append(place)
    return found


def _iter_documents(root: Node) -> Iterator[Node]:
    if is_list(text(child(root, "kind"))):
        for item in items(child(root, "items")):
            yield from _iter_documents(item)
        return
    yield root


def _is_argo(document: Node) -> bool:
    return is_argo_object(text(child(document, "apiVersion")))


def _iter_locations(document: Node, plugin: str) -> Iterator[BlockLocation]:
    template = text(child(document, "metadata", "name")) or text(child(document, "metadata", "generateName"))
    secrets = frozenset(
        text(child(argument, "name"))
        for argument in items(child(document, "spec", "args"))
        if child(argument, "valueFrom", "secretKeyRef")
    )
    for metric in items(child(document, "spec", "metrics")):
        provider = child(metric, "provider")
        name = text(child(metric, "name"))
        if _is_merged(provider):
            line = line_number(entries(provider)["<<"][0])
            raise MigrationError(line, f"the provider of the metric {name} is merged from elsewhere (<<): write it out")
        around, key = _find_block(provider, plugin)
        if around is None:
            continue
        if len(entries(provider)) > 1:
            line = line_number(entries(provider)[key][0]) if key in entries(provider) else line_number(around)
            names = " and ".join(entries(provider))
            raise MigrationError(
                line, f"the metric {name} has the providers {names}; Argo allows one: delete the other"
            )
        conditions = {
            key: (pair[0], pair[1])
            for key, pair in entries(metric).items()
            if key in ("successCondition", "failureCondition") and isinstance(pair[1], ScalarNode)
        }
        block = entries(around)[key]
        yield BlockLocation(
            template, name, *block, bool(around.flow_style), key == BUILT_IN_PROVIDER, conditions, secrets
        )


def _is_merged(provider: Node | None) -> bool:
    """Whether a provider takes the built-in's block from elsewhere."""
    merged = child(provider, "<<")
    return any(BUILT_IN_PROVIDER in entries(one) for one in (merged, *items(merged)))


def _find_block(provider: Node | None, plugin: str) -> tuple[MappingNode | None, str]:
    """The mapping that holds the block's key, and the key."""
    if isinstance(provider, MappingNode) and BUILT_IN_PROVIDER in entries(provider):
        return provider, BUILT_IN_PROVIDER
    plugins = child(provider, "plugin")
    if isinstance(plugins, MappingNode) and plugin in entries(plugins):
        return plugins, plugin
    return None, ""
