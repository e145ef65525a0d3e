"""From what an author wrote to the entities that an OAP knows. Pure: the OAP's lists are arguments."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import re2

from skywalking_provider.errors import NotYetKnown, ProviderError, Reason
from skywalking_provider.spec import EntitySpec, Instances
from skywalking_provider.spec.entity import service_name

MAX_ENDPOINTS = 100


@dataclass(frozen=True, slots=True)
class Service:
    """A service as `listServices` has it; `normal` is false for what agents only call, such as a database."""

    id: str
    name: str
    layers: tuple[str, ...]
    normal: bool


@dataclass(frozen=True, slots=True)
class Services:
    """The services of an OAP, by name: it may have thousands, and each measurement by name looks for one.

    Attributes:
        by_name: Those of a name, of different layers or kinds.
    """

    by_name: Mapping[str, tuple[Service, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, services: Iterable[Service]) -> "Services":
        """These services."""
        by_name: dict[str, tuple[Service, ...]] = {}
        for service in services:
            by_name[service.name] = (*by_name.get(service.name, ()), service)
        return cls(by_name)

    def __iter__(self) -> Iterator[Service]:
        return chain.from_iterable(self.by_name.values())

    def __len__(self) -> int:
        return sum(map(len, self.by_name.values()))


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance as `listInstances` has it."""

    name: str
    attributes: Mapping[str, str]


def wanted_service(spec: EntitySpec, pattern: str) -> str:
    """The name of the service that a spec means.

    Raises:
        ProviderError: BLOCK_INVALID, where the backend's pattern needs a part that was not given.
    """
    try:
        return service_name(spec.service, pattern)
    except ValueError as error:
        raise ProviderError(Reason.BLOCK_INVALID, f"the block under provider.plugin is wrong: {error}") from error


def find_service(name: str, layer: str | None, known: Services) -> Service:
    """The service of a name, of a layer where one is given.

    Raises:
        NotYetKnown: There is none, with the nearest names.
    """
    same_name = known.by_name.get(name, ())
    found = [service for service in same_name if layer is None or layer in service.layers]
    if found:
        return next((service for service in found if service.normal), found[0])
    if same_name:
        layers = ", ".join(sorted({one for service in same_name for one in service.layers}))
        raise NotYetKnown(f"service: OAP knows {name!r} in {layers}, not in layer {layer}")
    raise NotYetKnown(f"service: OAP knows no {name!r}", nearest(name, known.by_name))


def select_instances(selector: Instances, service: str, known: Sequence[Instance]) -> list[str]:
    """The names of the instances that a selector means.

    Raises:
        NotYetKnown: There are none, with those there are.
    """
    found = sorted({instance.name for instance in known if _matches(selector, instance)})
    if found:
        return found
    names = ", ".join(sorted(instance.name for instance in known)[:5])
    raise NotYetKnown(
        f"instances: no instance of {service!r} matches {selector.told}",
        f"{len(known)} instances there are: {names}" if known else "it has no instances in this window",
    )


def find_endpoint(name: str, service: str, known: Sequence[str], others: Sequence[str]) -> str:
    """The endpoint of a name.

    Args:
        name: As written.
        service: Its service.
        known: The endpoints whose names contain the name; OAP lists MAX_ENDPOINTS at most.
        others: Endpoints of the service, for the hint.

    Raises:
        NotYetKnown: There is none, with the nearest names.
    """
    if name in known or len(known) >= MAX_ENDPOINTS:  # a full list may lack it: then its metrics tell
        return name
    raise NotYetKnown(f"endpoint: OAP knows no {name!r} of {service!r}", nearest(name, others))


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint: the names that are most alike."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    if near:
        return f"nearest are {', '.join(near)}"
    return f"known are {', '.join(names[:5])}{', …' if len(names) > 5 else ''}" if names else "it knows none"


def _matches(selector: Instances, instance: Instance) -> bool:
    if selector.name is not None:
        return re2.fullmatch(selector.name, instance.name) is not None
    names = (instance.name, instance.attributes.get("pod", ""), instance.attributes.get("hostname", ""))
    return any(selector.pod_template_hash in name.split("-") for name in names)
