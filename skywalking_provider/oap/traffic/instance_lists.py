"""Last lists of instances: an LRU cache by service, bounded in size.

A list has no TTL: its reader uses it as an assumption, and compares it with the next list.
"""

from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from skywalking_provider.oap.api.inventory import InventoryInstance

MAX_LIST_CHARACTERS: Final = 16 * 1024
"""Largest size of a list in a response: each response with series of the service has the list, too."""
_MAX_BYTES: Final = 4 * 1024 * 1024  # of all lists
_OBJECT_BYTES: Final = 512  # of a list or an instance, beside its texts


@dataclass(frozen=True, slots=True)
class InstanceList:
    """Last list of the instances of a service.

    Attributes:
        instances: The instances, with the attributes that a selection reads.
        characters: Size of the whole list in a response.
    """

    instances: tuple[InventoryInstance, ...]
    characters: int


class InstanceLists:
    """Last lists of instances of one backend."""

    def __init__(self) -> None:
        # State: the lists by the id of the service; the least recently used ones are evicted first.
        self._lists: LRUCache[str, InstanceList] = LRUCache(_MAX_BYTES, getsizeof=_count_bytes)

    def __len__(self) -> int:
        return len(self._lists)

    @property
    def bytes(self) -> int:
        """Estimated size of all lists in memory."""
        return int(self._lists.currsize)

    def get(self, service_id: str) -> InstanceList | None:
        """Return the last list of a service; None if none is kept."""
        return self._lists.get(service_id)

    def put(self, service_id: str, instances: InstanceList) -> None:
        """Keep a list instead of the last one; neither if it is too long."""
        if instances.characters > MAX_LIST_CHARACTERS or _count_bytes(instances) > _MAX_BYTES:
            self._lists.pop(service_id, None)
        else:
            self._lists[service_id] = instances


def _count_bytes(instances: InstanceList) -> int:
    texts = sum(
        len(one.name) + sum(len(key) + len(value) for key, value in one.attributes.items())
        for one in instances.instances
    )
    return _OBJECT_BYTES * (1 + len(instances.instances)) + texts
