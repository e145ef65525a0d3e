"""CPU time of a block of a test, without garbage collection.

A collection visits all objects of the process. After thousands of tests it takes half a second, and belongs to none of
them.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class CpuTime:
    """CPU time of the thread in the block; 0 before its end."""

    seconds: float = 0.0


@contextmanager
def measure_cpu_time() -> Iterator[CpuTime]:
    """Measure the CPU time that the current thread uses in the block. The machine's load does not change it."""
    used = CpuTime()
    gc.collect()
    gc.disable()
    began = time.thread_time()
    try:
        yield used
    finally:
        used.seconds = time.thread_time() - began
        gc.enable()
