"""Kills of the service's CEL workers, as the kernel does when memory runs out."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from bench.soak.memory import child_pids

WORKER_REPLACED = "CEL worker replaced"
WORKER_MODULE = "skywalking_provider.conditions.cel.worker_main"
_INTERVAL_SECONDS = 2.0


@dataclass
class WorkerKiller:
    """Kills all workers now, and again after every two seconds.

    Attributes:
        service_pid: Returns the process id of the service.
        record: Receives WORKER_REPLACED for each worker that replaced a killed one.
    """

    service_pid: Callable[[], int]
    record: Callable[[str], None]
    _task: asyncio.Task[None] | None = None
    _killed: set[int] = field(default_factory=set)

    def start(self) -> None:
        """Start to kill."""
        self._killed = set()
        self._task = asyncio.create_task(self._kill_repeatedly())

    async def stop(self) -> None:
        """Stop to kill."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._count_replaced()

    async def _kill_repeatedly(self) -> None:
        while True:
            for pid in self._count_replaced():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                self._killed.add(pid)
            await asyncio.sleep(_INTERVAL_SECONDS)

    def _count_replaced(self) -> list[int]:
        workers = child_pids(self.service_pid(), WORKER_MODULE)
        if self._killed:
            for _ in set(workers) - self._killed:
                self.record(WORKER_REPLACED)
        return workers
