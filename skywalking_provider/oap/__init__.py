"""The only room that talks to SkyWalking."""

from skywalking_provider.oap.backend import Backend
from skywalking_provider.oap.observer import UNOBSERVED, Observer
from skywalking_provider.oap.registry import BackendRegistry, open_backends

__all__ = ["UNOBSERVED", "Backend", "BackendRegistry", "Observer", "open_backends"]
