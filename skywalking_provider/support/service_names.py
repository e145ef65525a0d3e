"""Name of a service in SkyWalking, built from its parts by a backend's `serviceName` pattern."""

import string
from collections.abc import Mapping

PARTS = ("cluster", "name", "namespace", "subset")
"""Parts that a pattern may use."""


def check_pattern(pattern: str) -> str:
    """Return a `serviceName` pattern if it is valid.

    Raises:
        ValueError: The pattern names an unknown part, or lacks `{name}`.
    """
    fields = [field for _, field, _, _ in string.Formatter().parse(pattern) if field is not None]
    if unknown := [field for field in fields if field not in PARTS]:
        raise ValueError(f"{{{unknown[0]}}} is not a part of a name. Known parts: {', '.join(PARTS)}")
    if "name" not in fields:
        raise ValueError("{name} is missing")
    return pattern


def format_service_name(parts: Mapping[str, str], pattern: str) -> str:
    """Build the name of a service in SkyWalking.

    Args:
        parts: Parts from the block; the keys are members of `PARTS`.
        pattern: Valid `serviceName` pattern of the backend.

    Raises:
        ValueError: The pattern uses a part that the block does not have.
    """
    try:
        return pattern.format(**parts)
    except KeyError as error:
        raise ValueError(f"service.{error.args[0]}: is required by the backend's serviceName {pattern!r}") from error
