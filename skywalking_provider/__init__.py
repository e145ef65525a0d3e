"""Apache SkyWalking metric provider for Argo Rollouts."""

__version__ = "0.1.0"
