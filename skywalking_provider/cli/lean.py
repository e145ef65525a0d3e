"""Imports structlog as the service needs it: without rich.

structlog takes rich along, where it is installed, to print the values of variables in tracebacks. Ours never show them,
as they may hold credentials; rich would cost every service 3 MiB and a twentieth of its start. Import this first.
"""

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
_rich_blocked = "rich" not in _modules
if _rich_blocked:
    _modules["rich"] = None  # Python's way to say that there is none: import raises ModuleNotFoundError

try:
    import structlog  # noqa: F401
finally:
    if _rich_blocked:
        del _modules["rich"]
