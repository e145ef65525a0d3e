"""Stages of a measurement: a sampled stack of the service belongs to the stage of its innermost known frame. No I/O."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any, Final

STAGES: Final[Sequence[tuple[str, Sequence[str]]]] = (
    ("encoding of messages", ("/google/protobuf/", "/google/_upb/", "/server/conversion.py", "/contract/v1/")),
    ("log", ("/skywalking_provider/telemetry/", "/skywalking_provider/server/logging.py", "/structlog/", "/logging/")),
    ("conditions", ("/skywalking_provider/conditions/", "/wasmtime/", "/celpy/")),
    ("HTTP client", ("/skywalking_provider/oap/transport/", "/gql/", "/aiohttp/", "/yarl/", "/multidict/")),
    ("block", ("/skywalking_provider/block/", "/pydantic/", "/pydantic_core/", "/graphql/")),
    ("OAP client", ("/skywalking_provider/oap/",)),
    ("queries", ("/skywalking_provider/queries/",)),
    ("engine", ("/skywalking_provider/analysis/", "/skywalking_provider/judgement/")),
    ("gRPC", ("/skywalking_provider/server/", "/grpc/")),
    ("event loop", ("/uvloop/", "/asyncio/")),
)
"""Stages with the parts of file names that belong to them. The first match counts."""

OTHER: Final = "interpreter and other"

_WAITS: Final = frozenset(
    ("clock_nanosleep", "epoll_pwait", "epoll_wait", "pthread_cond_timedwait", "pthread_cond_wait", "sem_clockwait")
)
_LOCK_WAIT_FRAMES: Final = 3
"""A lock waits in as many functions of the C library, none of which has an exported name."""

_FRAME: Final = re.compile(r"(?P<name>.*) \((?P<file>[^()]*?)(?::\d+)?\)$")


def classify_stack(frames: Sequence[str]) -> str:
    """Return the stage of a stack.

    Args:
        frames: Frames as `NAME (FILE:LINE)`, the innermost one last. The file of a native frame is its library.
    """
    for frame in reversed(frames):
        if match := _FRAME.match(frame):
            file = f"/{match['file']}"
            for stage, parts in STAGES:
                if any(part in file for part in parts):
                    return stage
    return OTHER


def is_waiting(frames: Sequence[str]) -> bool:
    """Return whether a thread with this stack waits. py-spy takes waits for work when it reads native frames."""
    inside = list(takewhile(lambda frame: frame.endswith("(libc.so.6)"), reversed(frames)))
    names = [frame.partition(" ")[0] for frame in inside if not frame.startswith("0x")]
    return bool(_WAITS.intersection(names)) or (not names and len(inside) >= _LOCK_WAIT_FRAMES)


def count_stages(lines: Iterable[str]) -> Counter[str]:
    """Count the samples of each stage, without those of waiting threads.

    Args:
        lines: Output of `py-spy record --format raw`: frames separated by `;`, then the number of samples.
    """
    samples: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if not is_waiting(frames):
            samples[classify_stack(frames)] += int(count)
    return samples


def compute_stage_times(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the service's CPU time of each stage for one measurement in milliseconds, the longest stage first.

    Args:
        rows: Repetitions with the samples of each stage, the CPU time in seconds and the number of measurements.
    """
    samples: Counter[str] = Counter()
    for row in rows:
        samples.update(row["samples"])
    total = compute_cpu_ms(rows, "service")
    return {stage: total * count / samples.total() for stage, count in samples.most_common()}


def compute_cpu_ms(rows: Sequence[dict[str, Any]], part: str) -> float:
    """Return the CPU time of a part for one measurement in milliseconds: `service`, `kernel` or `bridge`."""
    return 1000 * sum(row["cpuSecondsByPart"][part] for row in rows) / sum(row["latencyMs"]["count"] for row in rows)
