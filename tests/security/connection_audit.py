"""Connections and name lookups of this process, from Python's audit events."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ConnectionAudit:
    """Connections and lookups in order. Sockets other than IP (unix, those of the event loop) are left out."""

    connections: list[tuple[str, int]] = field(default_factory=list)
    hostnames: list[str] = field(default_factory=list)


_active_audits: list[ConnectionAudit] = []  # an audit hook cannot be removed, so there is only one


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
    audit = ConnectionAudit()
    _active_audits.append(audit)
    try:
        yield audit
    finally:
        _active_audits.remove(audit)
