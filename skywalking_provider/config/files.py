"""Which version of a file is there: what rotates is read again when this changes."""

from pathlib import Path

Version = tuple[tuple[int, int, int], ...]


def version_of(*paths: Path) -> Version:
    """What differs once one of the files was written or replaced, a link on its way to it included.

    Raises:
        OSError: One of them is not there.
    """
    return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in (path.stat() for path in paths))
