"""A greedy namespace of a soak test: it takes all that conditions and responses let it take."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc

NAMESPACE = "greedy"
CONDITION_STOPPED = "CONDITION_ERROR"
"""Outcome for a condition that the service stopped; its message is Argo's own and has no code."""

_CALLERS = 8
_DEADLINE_SECONDS = 5.0
_DIGITS = "[1,2,3,4,5,6,7,8,9,10]"

BuildRequest = Callable[[int], pb.RunRequest]


def heavy_condition(number: int) -> pb.RunRequest:
    """Build a measurement whose condition takes all time or all memory, in CEL or in expr. No two are equal."""
    match number % 4:
        case 0:
            nested = "".join(f"{_DIGITS}.all({name}, " for name in "abcd")
            return _request(_block(_cel(f"{number} == -1 || {nested}a+b+c+d > 0))))")))
        case 1:
            doubled = "['yyyyyyyyyyyyyyyy']" + ".map(a, a + a)" * 27
            return _request(_block(_cel(f"{number} == -1 || {doubled}.size() > 0")))
        case 2:
            return _request(_block({}), f"{number} == -1 || all(1..3000, all(1..3000, # >= 0))")
        case _:
            return _request(_block({}), f"{number} == -1 || len(map(1..2000000, string(#))) > 0")


def read_hostile_backend(number: int) -> pb.RunRequest:
    """Build a measurement of the backend whose responses are wrong. No two are equal."""
    return _request(
        {"expression": f"service_cpm + {number}", "service": "shop-0", "window": "3m", "backend": "hostile"}
    )


def _cel(success: str) -> dict[str, Any]:
    return {"conditions": {"language": "cel", "success": success}}


def _block(keys: dict[str, Any]) -> dict[str, Any]:
    return {"sli": "success-rate", "service": "shop-0", "window": "3m", "since": "window", "backend": "soak"} | keys


def _request(block: dict[str, Any], success: str = "") -> pb.RunRequest:
    metric = pb.Metric(name=NAMESPACE, block=json.dumps(block).encode(), success_condition=success)
    return pb.RunRequest(metric=metric, run=pb.Run(namespace=NAMESPACE, name="greedy-1", uid="greedy"))


@dataclass
class GreedyTenant:
    """Callers that start one measurement after another until they are stopped.

    Attributes:
        socket: Socket of the service.
        record: Receives the outcome of each measurement: its reason code, CONDITION_ERROR, its phase, or a gRPC status.
    """

    socket: Path
    record: Callable[[str], None]
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, build: BuildRequest) -> None:
        """Start the callers."""
        numbers = itertools.count()
        self._tasks = [asyncio.create_task(self._call(build, numbers)) for _ in range(_CALLERS)]

    async def stop(self) -> None:
        """Cancel the callers and their calls."""
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if errors := [one for one in results if isinstance(one, Exception)]:
            raise errors[0]

    async def _call(self, build: BuildRequest, numbers: Iterator[int]) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"unix:{self.socket}", options) as channel:
            run = rpc.MetricProviderStub(channel).Run
            while True:
                try:
                    measurement = await run(build(next(numbers)), timeout=_DEADLINE_SECONDS)
                except grpc.aio.AioRpcError as error:
                    self.record(error.code().name)
                    await asyncio.sleep(0.1)
                    continue
                self.record(describe_outcome(measurement))


def describe_outcome(measurement: pb.Measurement) -> str:
    """Return the reason code of a measurement, or its phase if it has none."""
    if measurement.message.startswith("could not evaluate"):
        return CONDITION_STOPPED
    code = measurement.message.partition(" ")[0]
    return code if code.isupper() else pb.Phase.Name(measurement.phase).removeprefix("PHASE_").capitalize()
