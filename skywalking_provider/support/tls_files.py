"""Certificate files that rotate: their version, and what is wrong with one."""

import ssl
from pathlib import Path

Version = tuple[tuple[int, int, int], ...]


def file_version(*paths: Path) -> Version:
    """What differs once one of the files was written or replaced, a link on its way to it included.

    Raises:
        OSError: One of them is not there.
    """
    return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in (path.stat() for path in paths))


def describe_tls_error(error: Exception) -> str:
    """What is wrong with a file of certificates."""
    match error:
        case ssl.SSLError(reason="KEY_VALUES_MISMATCH"):
            return "keyFile is not the key of certFile"
        case ssl.SSLError():
            return f"a file is not PEM as it should be, or its key is encrypted ({error.reason or error})"
        case OSError(filename=path) if path is not None:
            return f"{path} cannot be read ({error.strerror})"
    return str(error)
