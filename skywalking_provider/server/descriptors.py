"""Share of the process's file descriptors that the connections of each listener may take.

The rest, more than a third, is left for requests to OAP servers, condition workers and files.
"""

import resource
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class ConnectionShares:
    """Largest number of connections of each listener.

    Attributes:
        grpc: gRPC listener. A controller opens a few connections.
        http: HTTP listener of probes and metrics, which any pod may reach.
        page: History page; a browser opens six connections.
    """

    grpc: int
    http: int
    page: int

    @classmethod
    def of_limit(cls, descriptors: int) -> Self:
        """Return the shares of a limit of descriptors."""
        return cls(
            grpc=max(8, min(512, descriptors // 4)),
            http=max(8, min(256, descriptors // 4)),
            page=max(8, min(64, descriptors // 16)),
        )

    @classmethod
    def of_process(cls) -> Self:
        """Return the shares of this process's limit (`ulimit -n`)."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls.of_limit(2**20 if soft == resource.RLIM_INFINITY else soft)
