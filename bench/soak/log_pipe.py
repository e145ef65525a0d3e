"""Pipe between the service's standard error and its log file, whose reader can stop."""

import fcntl
import os
import threading
from pathlib import Path

_CAPACITY = 4096  # the smallest pipe of Linux, so that a stuck reader is noticed soon
_CHUNK = 65_536


class LogPipe:
    """A pipe with a reader in a thread.

    Args:
        path: File that the reader appends to.

    Attributes:
        write_end: File descriptor for the process that writes; the caller closes it.
    """

    def __init__(self, path: Path) -> None:
        self._read_end, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, fcntl.F_SETPIPE_SZ, _CAPACITY)
        self._running = threading.Event()
        self._running.set()
        self._thread = threading.Thread(target=self._copy, args=(path,), daemon=True)
        self._thread.start()

    def suspend(self) -> None:
        """Stop reading after at most one more chunk."""
        self._running.clear()

    def resume(self) -> None:
        """Read again."""
        self._running.set()

    def join(self) -> None:
        """Wait until all that was written is in the file. The writer must have ended."""
        self.resume()
        self._thread.join(10)

    @property
    def is_full(self) -> bool:
        """Return whether a write of one line would block: less than a page is free."""
        size = fcntl.fcntl(self._read_end, fcntl.F_GETPIPE_SZ)
        waiting = bytearray(4)
        fcntl.ioctl(self._read_end, 0x541B, waiting)  # FIONREAD
        return int.from_bytes(waiting, "little") > size - 2048

    def _copy(self, path: Path) -> None:
        with path.open("ab", buffering=0) as output:
            while True:
                self._running.wait()
                chunk = os.read(self._read_end, _CHUNK)
                if not chunk:
                    os.close(self._read_end)
                    return
                output.write(chunk)
