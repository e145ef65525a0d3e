"""Environment variables that Kubernetes makes of Services (`enableServiceLinks`).

The kubelet gives a container variables of each Service of its namespace. Those of a Service called `swp-http` begin
with SWP_HTTP_, as keys of the configuration do. A Service must neither stop the provider nor configure it.
"""

import re
from collections.abc import Mapping
from typing import Final

_ADDRESS: Final = r"[0-9A-Fa-f.:]+"
_NUMBER: Final = r"[0-9]{1,5}"
_PROTOCOL: Final = r"(?:tcp|udp|sctp)"
_URL: Final = rf"{_PROTOCOL}://\[?{_ADDRESS}\]?:{_NUMBER}"
_PORT: Final = rf"_PORT_{_NUMBER}_(?:TCP|UDP|SCTP)"

_FORMS: Final = tuple(
    (re.compile(suffix), re.compile(value))
    for suffix, value in (
        (r"_SERVICE_HOST", _ADDRESS),
        (r"_SERVICE_PORT(?:_[A-Z0-9_]+)?", _NUMBER),
        (rf"_PORT|{_PORT}", _URL),
        (rf"{_PORT}_PROTO", _PROTOCOL),
        (rf"{_PORT}_PORT", _NUMBER),
        (rf"{_PORT}_ADDR", _ADDRESS),
    )
)
"""Forms of a variable: the text after the Service's name, and the value."""

_EVERY_SERVICE_HAS: Final = ("_SERVICE_HOST", "_SERVICE_PORT", "_PORT")
_CUT: Final = re.compile(r"_(?=SERVICE_(?:HOST|PORT)|PORT)")


def find_service_variables(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the names of the variables that Kubernetes made of Services.

    A variable is one of a Service if its name and its value have the form of one, and the variables that every Service
    has are there, too. A misspelt key, such as SWP_HTTP_PORT=9464, is therefore not one of them.

    Args:
        environment: Environment variables.
    """
    return frozenset(name for name, value in environment.items() if _is_of_a_service(name, value, environment))


def _is_of_a_service(name: str, value: str, environment: Mapping[str, str]) -> bool:
    return any(
        _has_form(name[cut.start() :], value)
        and all(f"{name[: cut.start()]}{suffix}" in environment for suffix in _EVERY_SERVICE_HAS)
        for cut in _CUT.finditer(name)
    )


def _has_form(suffix: str, value: str) -> bool:
    return any(form.fullmatch(suffix) and content.fullmatch(value) for form, content in _FORMS)
