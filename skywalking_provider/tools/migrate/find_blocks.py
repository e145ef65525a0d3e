"""Search for SkyWalking metrics in AnalysisTemplates and ClusterAnalysisTemplates, also inside a List."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from yaml.nodes import MappingNode, Node, ScalarNode

from skywalking_provider.tools.migrate.yaml_nodes import MigrationError, child, entries, items, line_number, text
from skywalking_provider.tools.templates import BUILT_IN_PROVIDER, TEMPLATE_KINDS, is_argo_object, is_list


@dataclass(frozen=True, slots=True)
class BlockLocation:
    """A metric whose block belongs to the built-in provider or to this one.

    Attributes:
        template: Name of the template.
        metric: Name of the metric.
        key: Key of the block: `skywalking`, or the name of the plugin.
        block: The block.
        flow: Whether the mapping that contains the key is in flow style.
        built_in: Whether the block belongs to the built-in provider.
        conditions: Conditions of the metric by key, each as key node and value node.
        secrets: Arguments of the template whose values are secrets.
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
        """Line of the block's key."""
        return line_number(self.key)


@dataclass(slots=True)
class BlockLocations:
    """The metrics of a file, and descriptions of uses of the built-in provider that are not rewritten."""

    locations: list[BlockLocation] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)


def find_blocks(roots: list[Node], plugin: str) -> BlockLocations:
    """Find the metrics of a file's documents.

    Args:
        roots: Root nodes of the documents.
        plugin: Name of the plugin.

    Raises:
        MigrationError: A metric has several providers, or its provider is a YAML merge.
    """
    blocks = BlockLocations()
    seen: set[int] = set()
    for root in roots:
        for document in _iter_documents(root):
            kind = text(child(document, "kind"))
            for location in _iter_locations(document, plugin) if _is_argo(document) else ():
                if kind not in TEMPLATE_KINDS:
                    if location.built_in:
                        message = (
                            f"metric {location.metric} of {kind} {location.template} not rewritten: not a template"
                        )
                        blocks.skipped.append((location.line, message))
                elif id(location.key) not in seen:  # the provider may be shared by a YAML alias
                    seen.add(id(location.key))
                    blocks.locations.append(location)
    return blocks


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
            raise MigrationError(line, f"metric {name}: the provider is a YAML merge (<<). Write it out.")
        around, key = _find_block(provider, plugin)
        if around is None:
            continue
        if len(entries(provider)) > 1:
            line = line_number(entries(provider)[key][0]) if key in entries(provider) else line_number(around)
            names = " and ".join(entries(provider))
            raise MigrationError(
                line, f"metric {name}: several providers ({names}). Argo allows one, delete the others."
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
    """Return whether a provider gets its `skywalking` block by a YAML merge."""
    merged = child(provider, "<<")
    return any(BUILT_IN_PROVIDER in entries(one) for one in (merged, *items(merged)))


def _find_block(provider: Node | None, plugin: str) -> tuple[MappingNode | None, str]:
    """Return the mapping that contains the block's key, and the key."""
    if isinstance(provider, MappingNode) and BUILT_IN_PROVIDER in entries(provider):
        return provider, BUILT_IN_PROVIDER
    plugins = child(provider, "plugin")
    if isinstance(plugins, MappingNode) and plugin in entries(plugins):
        return plugins, plugin
    return None, ""
