"""Templates, runs, Rollouts and Experiments in the documents of a file. No I/O.

Values may have any type: the schema is checked by a rule. What has another type than expected is left out here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from skywalking_provider.tools.check.argo.name_rules import dry_run_rules, select_names
from skywalking_provider.tools.check.argo.validation import LIMITS, ArgoMetric, read_argo_metric
from skywalking_provider.tools.check.template import RUN_KIND
from skywalking_provider.tools.lint.arguments import Arguments, Path, iter_texts
from skywalking_provider.tools.lint.yaml_nodes import Document
from skywalking_provider.tools.templates import BUILT_IN_PROVIDER, is_argo_object, is_list, is_template

ROLLOUT_KIND: Final = "Rollout"
CLUSTER_KIND: Final = "ClusterAnalysisTemplate"
_ANY_DURATION: Final = "1m"


@dataclass(frozen=True, slots=True)
class ArgoObject:
    """An object of Argo.

    Attributes:
        document: Document that contains it.
        path: Its path in the document; not empty inside of a List.
        content: Its content.
        kind: Its kind.
        name: Its name; empty for none.
        namespace: Its namespace; empty for none.
    """

    document: Document
    path: Path
    content: Mapping[str, Any]
    kind: str
    name: str
    namespace: str

    @property
    def subject(self) -> str:
        """Kind and name, for reports."""
        return f"{self.kind} {self.name}".strip()

    @property
    def has_metrics(self) -> bool:
        """Whether it is a template or a run."""
        return self.kind != ROLLOUT_KIND

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec; empty if it has none."""
        return _map(self.content.get("spec"))


@dataclass(frozen=True, slots=True)
class TemplateMetric:
    """A metric of a template or run.

    Attributes:
        owner: The template or run.
        path: Path in the document.
        content: Content as written.
        arguments: Arguments of the template.
        argo: Fields that Argo validates, with arguments replaced.
        unknown: Keys whose arguments have no value.
        provider: Name of the plugin, or the key below `provider`; empty unless there is exactly one.
        block_path: Path of the block in the document.
        block: The block as written; None if the provider has none.
        texts: Texts of the content with their paths in the document, and whether each is a key.
        dry_run: Whether Argo does not count the metric.
    """

    owner: ArgoObject
    path: Path
    content: Mapping[str, Any]
    arguments: Arguments
    argo: ArgoMetric
    unknown: frozenset[str]
    provider: str
    block_path: Path
    block: Any
    texts: tuple[tuple[Path, str, bool], ...]
    dry_run: bool = False

    @property
    def subject(self) -> str:
        """Object and metric, for reports."""
        return f"{self.owner.subject}, metric {self.argo.name}" if self.argo.name else self.owner.subject

    def reads_skywalking(self, plugin: str) -> bool:
        """Return whether its block belongs to a plugin name, or to Argo's built-in provider."""
        return self.provider == (plugin if self.is_plugin else BUILT_IN_PROVIDER)

    @property
    def is_plugin(self) -> bool:
        """Whether its provider is a plugin."""
        return self.block_path[-2:-1] == ("plugin",)

    def text(self, key: str) -> str:
        """Return the text of a key; empty for none."""
        value = self.content.get(key)
        return value if isinstance(value, str) else ""

    def knows(self, *keys: str) -> bool:
        """Return whether the values of these keys are known: none has an argument without a value."""
        return self.unknown.isdisjoint(keys)


def find_objects(document: Document) -> Iterator[ArgoObject]:
    """Yield the objects of Argo in a document, also those in a List."""
    yield from _iter_objects(document, document.root.value, ())


def read_arguments(owner: ArgoObject) -> Arguments:
    """Return the arguments of a template or run."""
    names: dict[str, None] = {}
    values: dict[str, str] = {}
    secrets = set[str]()
    for entry in _list(owner.spec.get("args")):
        name = _map(entry).get("name")
        if not isinstance(name, str):
            continue
        names[name] = None
        value = entry.get("value")
        if "secretKeyRef" in _map(entry.get("valueFrom")):
            secrets.add(name)
        elif isinstance(value, str):
            values[name] = value
    return Arguments(tuple(names), values, frozenset(secrets))


def read_metrics(owner: ArgoObject) -> list[TemplateMetric]:
    """Return the metrics of a template or run."""
    arguments = read_arguments(owner)
    metrics = [
        _read_metric(owner, arguments, at, metric)
        for at, metric in enumerate(_list(owner.spec.get("metrics")))
        if isinstance(metric, dict)
    ]
    names = select_names(dry_run_rules(rule_names(owner, "dryRun")), [one.argo.name for one in metrics])
    return [replace(one, dry_run=one.argo.name in names) for one in metrics]


def rule_names(owner: ArgoObject, key: str) -> list[str]:
    """Return the expressions of `dryRun` or `measurementRetention`."""
    return [str(_map(rule).get("metricName")) for rule in _list(owner.spec.get(key))]


def _iter_objects(document: Document, content: Any, path: Path) -> Iterator[ArgoObject]:
    if not isinstance(content, dict):
        return
    kind, api_version = str(content.get("kind")), str(content.get("apiVersion"))
    if is_list(kind) and isinstance(content.get("items"), list):
        for at, item in enumerate(content["items"]):
            yield from _iter_objects(document, item, (*path, "items", at))
        return
    if is_template(kind, api_version) or (is_argo_object(api_version) and kind in (RUN_KIND, ROLLOUT_KIND)):
        metadata = _map(content.get("metadata"))
        name = metadata.get("name") or metadata.get("generateName") or ""
        yield ArgoObject(document, path, content, kind, str(name), str(metadata.get("namespace") or ""))


def _read_metric(owner: ArgoObject, arguments: Arguments, at: int, metric: Mapping[str, Any]) -> TemplateMetric:
    path = (*owner.path, "spec", "metrics", at)
    resolved = dict(metric)
    unknown = set[str]()
    for key in ("name", "interval", "initialDelay", *LIMITS):
        value = metric.get(key)
        if isinstance(value, str) and "{{" in value:
            if arguments.has_unknown(value):
                unknown.add(key)
                resolved.pop(key)
            else:
                resolved[key] = arguments.replace(value)
    if "name" in unknown:
        resolved["name"] = metric["name"]
    resolved |= {key: _ANY_DURATION for key in ("interval", "initialDelay") if key in unknown}
    provider = _map(metric.get("provider"))
    plugins = _map(provider.get("plugin"))
    resolved["provider"] = {**provider, "plugin": plugins}
    argo = read_argo_metric({key: value for key, value in resolved.items() if _is_scalar_or_provider(key, value)})
    name = argo.providers[0] if len(argo.providers) == 1 else ""
    below = ("provider", "plugin", name) if name in plugins else ("provider", name)
    block = plugins.get(name) if name in plugins else provider.get(name)
    texts = tuple(iter_texts(metric, path))
    return TemplateMetric(owner, path, metric, arguments, argo, frozenset(unknown), name, (*path, *below), block, texts)


def _is_scalar_or_provider(key: str, value: Any) -> bool:
    if key in LIMITS:
        return isinstance(value, int | str) and not isinstance(value, bool)
    return key == "provider" or not isinstance(value, dict | list)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
