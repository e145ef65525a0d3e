"""Client for a SkyWalking OAP server; the only package that does I/O against one."""

from skywalking_provider.oap.backend import Backend
from skywalking_provider.oap.observer import UNOBSERVED, Observer
from skywalking_provider.oap.registry import BackendRegistry, open_backends

__all__ = ["UNOBSERVED", "Backend", "BackendRegistry", "Observer", "open_backends"]
