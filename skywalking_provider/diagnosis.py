"""Why nothing was found, asked only where nothing was found: the OAP's lists of metrics and services may tell."""

from collections.abc import Awaitable
from typing import TypeVar

from skywalking_provider.asking import Answered
from skywalking_provider.entities import Services
from skywalking_provider.errors import ProviderError
from skywalking_provider.forms import graphql
from skywalking_provider.forms.expression import check_scope
from skywalking_provider.forms.suspects import cause, suspects_in
from skywalking_provider.model import Deadline
from skywalking_provider.oap import Backend
from skywalking_provider.spec import ExpressionSpec, GraphqlSpec, Spec

T = TypeVar("T")


async def cause_of_silence(spec: Spec, answered: Answered, backend: Backend, deadline: Deadline) -> str:
    """The likely cause, with its remedy; empty where none is known, as mostly: there are no calls.

    Raises:
        ProviderError: Waiting cannot help, and here is why.
    """
    if isinstance(spec, ExpressionSpec):
        check_scope(spec.expression, spec.scope, await _or_nothing(backend.metrics(deadline), {}))
    if not isinstance(spec, GraphqlSpec):  # its entity was found, and OAP has its metrics
        return ""
    query = graphql.healed(spec, nullable=(await backend.dialect(deadline)).nullable)
    metrics = await _or_nothing(backend.metrics(deadline), {})
    services = await _or_nothing(backend.services(deadline), Services())
    for suspect in suspects_in(spec.query, query, answered.sample.silent):
        if told := cause(suspect, metrics, services):
            return told
    return ""


async def _or_nothing(asked: Awaitable[T], nothing: T) -> T:
    """A list of the OAP's, where it tells it: away, refused or of another protocol, it says nothing of the question."""
    try:
        return await asked
    except ProviderError:  # of the question, there was an answer
        return nothing
