"""Apache SkyWalking as a judge of Argo Rollouts canaries."""

__version__ = "0.1.0"
