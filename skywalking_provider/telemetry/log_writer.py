"""Log output that never makes its caller wait: a queue bounded by bytes, and a thread that writes it."""

import io
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_MAX_QUEUED_BYTES: Final = 1024 * 1024  # about 2,500 lines of measurements
_TEXT_OVERHEAD_BYTES: Final = 64  # Python's own for each queued text, so that many short ones are bounded, too
_PAUSE_SECONDS: Final = 0.02  # between two writes, so that a burst of lines is one write
_RETRY_SECONDS: Final = 1.0  # between two attempts to report lost lines to an output that fails

RenderLoss = Callable[[int], str]
"""Renders the line that reports a number of lost lines."""


class LogWriter(io.TextIOBase):
    """Text stream to a file descriptor whose writes neither wait nor raise.

    The lines keep their order. A line is lost if the queue is full, because the output is not read, or if the output
    fails. Once the output works again, one line in their place reports how many were lost.

    Args:
        descriptor: File descriptor to write to; None if there is no output.
        max_bytes: Limit of the queue. The write in progress holds as many bytes again at most.

    Attributes:
        render_loss: Renders the line that reports lost lines.
    """

    def __init__(self, descriptor: int | None, max_bytes: int = _MAX_QUEUED_BYTES) -> None:
        super().__init__()
        self.render_loss: RenderLoss = "{} log lines lost\n".format
        self._descriptor = descriptor
        self._max_bytes = max_bytes
        # Reentrant: the garbage collector may run a finalizer that logs while this thread holds the lock.
        self._lock = threading.RLock()
        self._queue: list[bytes] = []
        self._queued_bytes = 0
        self._dropped_lines = 0  # after those of the queue
        self._lost_lines = 0
        self._idle = False  # the thread waits for `_wake`
        self._wake = threading.Lock()  # a binary semaphore: acquired by the thread, released by a writer
        self._wake.acquire()
        self._empty = threading.Event()
        threading.Thread(target=self._write_until_exit, name="log", daemon=True).start()

    @property
    def lost_lines(self) -> int:
        """Number of lines lost since the start."""
        return self._lost_lines

    def writable(self) -> bool:
        """Return that the stream can be written to."""
        return True

    def isatty(self) -> bool:
        """Return whether the output is a terminal."""
        return self._descriptor is not None and os.isatty(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor of the output.

        Raises:
            io.UnsupportedOperation: There is no output.
        """
        if self._descriptor is None:
            raise io.UnsupportedOperation("no output")
        return self._descriptor

    def write(self, text: str) -> int:
        """Queue a text, or count its lines as lost if the queue is full."""
        data = text.encode("utf-8", "backslashreplace")
        with self._lock:
            size = len(data) + _TEXT_OVERHEAD_BYTES
            if self._queued_bytes + size > self._max_bytes:
                lines = data.count(b"\n")
                self._dropped_lines += lines
                self._lost_lines += lines
            else:
                self._queued_bytes += size
                self._queue.append(data)
            if self._idle:
                self._idle = False
                self._empty.clear()
                if self._wake.locked():
                    self._wake.release()
        return len(text)

    def drain(self, seconds: float) -> bool:
        """Wait until the queued lines are written or lost, at most the given seconds.

        Returns:
            Whether the queue is empty.
        """
        return self._empty.wait(seconds)

    def _write_until_exit(self) -> None:
        output = _Output(self._descriptor, self._render_loss_safely)
        while True:
            data, dropped_lines = self._take(retry=output.unreported_lines > 0)
            failed_lines = output.write(data)
            output.unreported_lines += dropped_lines
            if dropped_lines:
                output.write(b"")  # only the report
            del data
            with self._lock:
                self._lost_lines += failed_lines
            time.sleep(_PAUSE_SECONDS)

    def _render_loss_safely(self, lines: int) -> str:
        try:
            return self.render_loss(lines)
        except Exception:  # noqa: BLE001 - an error here would end the log for the rest of the process
            return f"{lines} log lines lost\n"

    def _take(self, *, retry: bool) -> tuple[bytes, int]:
        """Wait for lines, or until lost ones can be reported again; return the queue and the lines lost after it."""
        with self._lock:
            self._idle = idle = not (self._queue or self._dropped_lines)
            if idle:
                self._empty.set()
        if idle:
            self._wake.acquire(timeout=_RETRY_SECONDS if retry and self._descriptor is not None else -1)
        with self._lock:
            self._idle = False
            self._empty.clear()
            data = b"".join(self._queue)
            self._queue.clear()
            self._queued_bytes = 0
            dropped, self._dropped_lines = self._dropped_lines, 0
        return data, dropped


class _Output:
    """A descriptor that may fail, with the lines lost that no line in it reports yet."""

    def __init__(self, descriptor: int | None, render_loss: RenderLoss) -> None:
        self._descriptor = descriptor
        self._render_loss = render_loss
        self._inside_line = False
        self.unreported_lines = 0

    def write(self, data: bytes) -> int:
        """Write the report of lost lines if one is due, then data. Return the number of lines of data that are lost."""
        if self.unreported_lines:
            report = ("\n" if self._inside_line else "") + self._render_loss(self.unreported_lines)
            if self._write_as_far_as_possible(report.encode()) == 0:
                self.unreported_lines = 0
        unwritten = len(data) if self.unreported_lines else self._write_as_far_as_possible(data)
        lost = data.count(b"\n", len(data) - unwritten)
        self.unreported_lines += lost
        return lost

    def _write_as_far_as_possible(self, data: bytes) -> int:
        """Write data and return the number of bytes that could not be written."""
        unwritten = memoryview(data)
        if self._descriptor is not None:
            with suppress(OSError):
                while unwritten:
                    written = unwritten[: self._write_once(self._descriptor, unwritten)]
                    unwritten = unwritten[len(written) :]
                    if written:
                        self._inside_line = written[-1] != ord("\n")
        return len(unwritten)

    def _write_once(self, descriptor: int, data: memoryview) -> int:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:  # another process with the same output made it non-blocking
            ready = select.poll()
            ready.register(descriptor, select.POLLOUT)
            ready.poll()
            return 0
