"""Addresses select a configured backend. They are compared, never dialled."""

from unicodedata import normalize
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def normalise_address(address: str) -> str:
    """Write an address so that two spellings of the same OAP are equal.

    Args:
        address: A base URL such as "http://oap.istio-system:12800"; the built-in provider appends /graphql to it.

    Raises:
        ValueError: It is no HTTP URL, or has parts that cannot belong to a base URL.
    """
    if set("@?") & set(normalize("NFKC", address)):  # before anything repeats it: it may hold a secret
        raise ValueError(
            "an address must not carry credentials or a query; those belong in a backend of the configuration"
        )
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{address!r} is not a URL: {error}") from error
    if parts.scheme.lower() not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{address!r} is not an http:// or https:// URL such as http://oap.istio-system:12800")
    if parts.fragment:
        raise ValueError(f"{address!r} has a fragment; write the base URL of the OAP only")
    scheme = parts.scheme.lower()
    port_text = "" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix("/graphql")
    return f"{scheme}://{host}{port_text}{path}"
