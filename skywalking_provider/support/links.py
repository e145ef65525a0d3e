"""Links of a pattern such as `https://ui.example.org/traces/{traceId}`: its check, and its parts as URL components."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

LINK_PARTS: Final = ("traceId", "service", "serviceId", "layer")
"""Names in braces that a pattern may have."""
_PART: Final = re.compile(r"\{([^{}]*)\}")


def check_link_pattern(pattern: str) -> str:
    """Return a pattern if it is an http(s) address and has known parts after the host only.

    Raises:
        ValueError: The pattern is invalid.
    """
    scheme, separator, rest = pattern.partition("://")
    if scheme not in ("http", "https") or not separator or not rest:
        raise ValueError("is not an http:// or https:// address. Write one such as https://host/traces/{traceId}")
    if not pattern.isprintable() or any(one in pattern for one in ' "<>'):
        raise ValueError("has characters that a link cannot have. Encode them with %")
    if unknown := [name for name in _PART.findall(pattern) if name not in LINK_PARTS]:
        known = ", ".join(f"{{{name}}}" for name in LINK_PARTS)
        raise ValueError(f"has the part {{{unknown[0]}}}, which is unknown. Use {known}")
    if "{" in _PART.sub("", pattern) or "}" in _PART.sub("", pattern):
        raise ValueError("has a brace without its pair. Close it, or encode it as %7B or %7D")
    if "{" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        raise ValueError("has a part in its host. Write parts after the host only")
    return pattern


def format_link(pattern: str, parts: Mapping[str, str]) -> str:
    """Return the link with all parts filled in. They are encoded, so that they stay one component of the URL.

    Args:
        pattern: A checked pattern.
        parts: Values by name; a missing one is empty.
    """
    return _PART.sub(lambda match: quote(parts.get(match[1], ""), safe=""), pattern)
