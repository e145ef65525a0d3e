"""The gRPC contract between the bridge and the service; `v1` is generated from proto/ by `make generate`."""

CONTRACT_VERSION = "1.0"
"""Major and minor version; both sides need the same major version."""

REASON_TRAILER = "metricprovider-reason"
"""Trailer of a call that failed with UNAVAILABLE: the reason code for its measurement."""
