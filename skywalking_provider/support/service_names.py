"""The name of a service in SkyWalking, built from its parts by a backend's `serviceName` pattern."""

import string
from collections.abc import Mapping

PARTS = ("cluster", "name", "namespace", "subset")
"""The parts that a pattern may use."""


def check_pattern(pattern: str) -> str:
    """Return a `serviceName` pattern if it is valid.

    Raises:
        ValueError: The pattern names an unknown part, or lacks `{name}`.
    """
    fields = [field for _, field, _, _ in string.Formatter().parse(pattern) if field is not None]
    if unknown := [field for field in fields if field not in PARTS]:
        raise ValueError(f"{{{unknown[0]}}} is not a part of a name; parts are {', '.join(PARTS)}")
    if "name" not in fields:
        raise ValueError("{name} is missing")
    return pattern


def format_service_name(parts: Mapping[str, str], pattern: str) -> str:
    """Build the name that SkyWalking knows.

    Args:
        parts: The parts that the block gives; keys are of `PARTS`.
        pattern: The backend's `serviceName` pattern, checked.

    Raises:
        ValueError: The pattern needs a part that the block does not give.
    """
    try:
        return pattern.format(**parts)
    except KeyError as error:
        raise ValueError(f"service.{error.args[0]}: the backend's serviceName {pattern!r} needs it") from error
