"""Standard error of the service: no line that any part of the process writes to it makes the service wait."""

import atexit
import os
import stat
import sys
from contextlib import suppress
from typing import Final, TextIO, cast

from skywalking_provider.telemetry.log_writer import LogWriter

_EXIT_SECONDS: Final = 1.0  # for the last lines; an output that nothing reads must not delay the exit longer
_STDERR: Final = 2


def protect_stderr() -> LogWriter:
    """Replace `sys.stderr` by a writer that neither waits nor raises, for the rest of the process.

    Tracebacks, warnings and the log then go through the writer. Native code, such as gRPC's core, writes to the
    descriptor itself: that becomes non-blocking if it is a pipe or a terminal, so that its lines are lost instead.
    """
    _fill_closed_descriptors()
    descriptor = None
    if sys.stderr is not None:  # None if the process was started with a closed standard error
        with suppress(OSError):
            descriptor = os.dup(_STDERR)
            _unblock_native_code()
    writer = LogWriter(descriptor)
    sys.stderr = cast("TextIO", writer)
    atexit.register(writer.drain, _EXIT_SECONDS)
    return writer


def _fill_closed_descriptors() -> None:
    """Open /dev/null for a closed standard stream: a socket with its number would get what is printed."""
    for number in range(_STDERR + 1):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number


def _unblock_native_code() -> None:
    """Make descriptor 2 non-blocking, by opening its file again: other processes share the present description."""
    if stat.S_ISFIFO(os.fstat(_STDERR).st_mode) or os.isatty(_STDERR):
        descriptor = os.open(f"/proc/self/fd/{_STDERR}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        os.dup2(descriptor, _STDERR)
        os.close(descriptor)
