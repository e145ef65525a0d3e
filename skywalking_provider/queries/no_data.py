"""Why nothing was found, asked only where nothing was found: the OAP's lists of metrics and services may tell."""

from collections.abc import Awaitable
from typing import TypeVar

from skywalking_provider.block import ExpressionSpec, GraphqlSpec, Spec
from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Deadline
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.inventory import ServiceInventory
from skywalking_provider.queries.collect import CollectedSample
from skywalking_provider.queries.diagnosis import empty_reads, likely_cause
from skywalking_provider.queries.expression import check_scope
from skywalking_provider.queries.graphql import query as graphql

T = TypeVar("T")


async def diagnose_no_data(spec: Spec, collected_sample: CollectedSample, backend: Backend, deadline: Deadline) -> str:
    """The likely cause, with its remedy; empty where none is known, as mostly: there are no calls.

    Raises:
        ProviderError: Waiting cannot help, and here is why.
    """
    if isinstance(spec, ExpressionSpec):
        check_scope(spec.expression, spec.scope, await _await_or_default(backend.metrics(deadline), {}))
    if not isinstance(spec, GraphqlSpec):  # its entity was found, and OAP has its metrics
        return ""
    query = graphql.rewritten_query(spec, nullable=(await backend.features(deadline)).supports_nullable)
    metrics = await _await_or_default(backend.metrics(deadline), {})
    services = await _await_or_default(backend.services(deadline), ServiceInventory())
    for suspect in empty_reads(spec.query, query, collected_sample.sample.empty_series):
        if told := likely_cause(suspect, metrics, services):
            return told
    return ""


async def _await_or_default(request: Awaitable[T], default: T) -> T:
    """A list of the OAP's, where it tells it: away, refused or of another protocol, it says nothing of the question."""
    try:
        return await request
    except ProviderError:  # of the question, there was an answer
        return default
