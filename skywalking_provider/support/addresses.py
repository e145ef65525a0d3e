"""Normalisation of addresses. An address selects a configured backend; no connection is made to it."""

from unicodedata import normalize
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def normalise_address(address: str) -> str:
    """Normalise an address, so that two spellings of the same OAP are equal.

    Args:
        address: A base URL such as "http://oap.istio-system:12800"; the built-in provider appends /graphql to it.

    Raises:
        ValueError: The address is not an HTTP URL, or has parts that a base URL cannot have.
    """
    if set("@?") & set(normalize("NFKC", address)):  # before any message quotes it: it may hold a secret
        raise ValueError(
            "an address must not contain credentials or a query. Write them into a backend of the configuration"
        )
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{address!r} is not a URL: {error}") from error
    if parts.scheme.lower() not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{address!r} is not an http:// or https:// URL such as http://oap.istio-system:12800")
    if parts.fragment:
        raise ValueError(f"{address!r} has a fragment. Write only the base URL of the OAP")
    scheme = parts.scheme.lower()
    port_text = "" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix("/graphql")
    return f"{scheme}://{host}{port_text}{path}"
