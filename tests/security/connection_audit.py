"""What this process tries to connect to and which names it looks up, as Python's own audit events say."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ConnectionAudit:
    """What was tried, in order; sockets that are no IP (unix, the loop's own) are left out."""

    connections: list[tuple[str, int]] = field(default_factory=list)
    hostnames: list[str] = field(default_factory=list)


_active_audits: list[ConnectionAudit] = []  # audit hooks stay for ever, so there is one, and it is told who watches


def _audit_hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active_audits:
        return
    if event in ("socket.connect", "socket.sendto") and arguments[0].family in (socket.AF_INET, socket.AF_INET6):
        for one in _active_audits:
            one.connections.append(arguments[1][:2])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        for one in _active_audits:
            one.hostnames.append(str(arguments[0]))


sys.addaudithook(_audit_hook)


@contextmanager
def audit_connections() -> Iterator[ConnectionAudit]:
    outgoing = ConnectionAudit()
    _active_audits.append(outgoing)
    try:
        yield outgoing
    finally:
        _active_audits.remove(outgoing)
