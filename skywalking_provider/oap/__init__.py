"""The only room that talks to SkyWalking."""

from skywalking_provider.oap.backend import Backend
from skywalking_provider.oap.backends import Backends, open_backends
from skywalking_provider.oap.observer import UNOBSERVED, Observer

__all__ = ["UNOBSERVED", "Backend", "Backends", "Observer", "open_backends"]
