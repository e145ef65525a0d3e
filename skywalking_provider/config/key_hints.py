"""Hints for unknown keys of the configuration that other tools know."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from skywalking_provider.config.backend import BackendConfig, Basic, Bearer
from skywalking_provider.config.root import Config
from skywalking_provider.config.tls import ClientTls

_CREDENTIALS: Final = "Write basic, bearer or headers."
_URL: Final = "Write url."
_WORDS: Final[Mapping[type[BaseModel], Mapping[str, str]]] = {
    BackendConfig: {
        "authorization": _CREDENTIALS,
        "authentication": _CREDENTIALS,
        "auth": _CREDENTIALS,
        "username": "Write basic: {username: …, passwordFile: …}.",
        "user": "Write basic: {username: …, passwordFile: …}.",
        "password": "Write basic: {username: …, passwordFile: …}.",
        "token": "Write bearer: {tokenFile: …}.",
        "apikey": "Write headers: {X-Api-Key: …}.",
        "address": _URL,
        "addr": _URL,
        "host": _URL,
        "server": _URL,
        "endpoint": _URL,
        "namespaces": "Write allowedNamespaces.",
        "namespace": "Write allowedNamespaces: […].",
        "insecure": "Write tls: {insecureSkipVerify: true}, or http:// in url.",
        "insecureskipverify": "Write tls: {insecureSkipVerify: true}.",
        "cafile": "Write tls: {caFile: …}.",
        "ca": "Write tls: {caFile: …}.",
        "cacert": "Write tls: {caFile: …}.",
        "timeoutseconds": "Write timeout with a unit, such as 5s.",
        "window": "It belongs to the block of a metric.",
        "interval": "It belongs to the block of a metric.",
    },
    Basic: {"user": "Write username.", "name": "Write username.", "secretref": "Write passwordFile."},
    Bearer: {"secretref": "Write tokenFile."},
    ClientTls: {
        "ca": "Write caFile.",
        "cacert": "Write caFile.",
        "insecure": "Write insecureSkipVerify.",
        "cert": "Write certFile.",
        "key": "Write keyFile.",
    },
    Config: {
        "oap": "Write backends: {default: {url: …}}.",
        "address": "Write backends: {default: {url: …}}.",
        "url": "Write backends: {default: {url: …}}.",
        "backend": "Write backends: {<name>: {url: …}}.",
        "port": "Write listen: host:port.",
    },
}


def hint_for_key(level: type[BaseModel], key: str) -> str:
    """Return the hint for a key that a level of the configuration does not have; empty if the word is not known.

    Args:
        level: Class of the level, such as that of one backend.
        key: The unknown key.
    """
    return _WORDS.get(level, {}).get(key.replace("-", "").replace("_", "").lower(), "")
