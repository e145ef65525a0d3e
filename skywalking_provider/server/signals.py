"""Signals of the service: those that stop it, and those that it ignores."""

import asyncio
import signal
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
"""Signals that stop the service in two stages. There is no reload, so SIGHUP does not keep a configuration in use."""
IGNORED_SIGNALS: Final = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)
"""Signals without effect. Their default action would end the process and the calls in flight."""


def install_signal_handlers() -> tuple[asyncio.Event, asyncio.Event]:
    """Handle the signals of this process, and return the events of the first and the second stop signal.

    A SIGHUP that the parent ignores stays ignored, as under `nohup`.
    """
    first, second = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        if not (number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN):
            loop.add_signal_handler(number, lambda: second.set() if first.is_set() else first.set())
    for number in IGNORED_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    return first, second
