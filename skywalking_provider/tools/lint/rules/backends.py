"""Rule about the backend of a block, with the provider's configuration. No connection is opened."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError
from skywalking_provider.oap import open_backends
from skywalking_provider.oap.registry import BackendRegistry
from skywalking_provider.tools.lint.blocks import Block
from skywalking_provider.tools.lint.findings import Problem
from skywalking_provider.tools.lint.objects import TemplateMetric
from skywalking_provider.tools.lint.registry import Rule


@dataclass(frozen=True, slots=True)
class Backends:
    """The configured backends, as the service selects them.

    Attributes:
        restricted: With `allowedNamespaces`.
        any_namespace: Without it, for objects that do not name their namespace.
    """

    restricted: BackendRegistry
    any_namespace: BackendRegistry


@asynccontextmanager
async def open_configured(configs: Mapping[str, BackendConfig]) -> AsyncIterator[Backends]:
    """Hold the registry of the backends. A client connects with its first request, which lint never sends."""
    free = {name: one.model_copy(update={"allowed_namespaces": None}) for name, one in configs.items()}
    async with open_backends(configs, _now) as restricted, open_backends(free, _now) as any_namespace:
        yield Backends(restricted, any_namespace)


def find_backend_problem(metric: TemplateMetric, block: Block, backends: Backends | None) -> Iterator[Problem]:
    """Yield the problem of a block whose backend or address is not configured."""
    spec = block.spec
    if backends is None or spec is None or not block.knows("backend", "address"):
        return
    namespace = metric.owner.namespace
    registry = backends.restricted if namespace else backends.any_namespace
    try:
        registry.select(spec.backend, spec.address, namespace or "default")
    except ProviderError as error:
        key = "address" if error.message.startswith("address") else "backend"
        path = (*metric.block_path, key) if key in (metric.block or {}) else metric.block_path
        yield Problem(Rule.BLOCK_BACKEND, error.message, error.hint.removesuffix("."), path)


def _now() -> datetime:
    return datetime.now(UTC)
