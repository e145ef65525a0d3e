"""Certificate files: their version, for rotation, and descriptions of their errors."""

import ssl
from pathlib import Path

Version = tuple[tuple[int, int, int], ...]


def file_version(*paths: Path) -> Version:
    """Return a version that changes when one of the files, or a link to it, is written or replaced.

    Raises:
        OSError: A file does not exist.
    """
    return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in (path.stat() for path in paths))


def describe_tls_error(error: Exception) -> str:
    """Return a description of an error that a certificate file caused."""
    match error:
        case ssl.SSLError(reason="KEY_VALUES_MISMATCH"):
            return "keyFile is not the key of certFile"
        case ssl.SSLError():
            return f"a file is not PEM, or its key is encrypted ({error.reason or error})"
        case OSError(filename=path) if path is not None:
            return f"{path} cannot be read ({error.strerror})"
    return str(error)
