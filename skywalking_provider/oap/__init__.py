"""The only room that talks to SkyWalking."""

from skywalking_provider.oap.backend import Backend, Backends, open_backends

__all__ = ["Backend", "Backends", "open_backends"]
