"""A hostile OAP beside the measured one, and a namespace that reads it without a pause."""

import itertools
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import grpc

from bench.cpu_affinity import ROOT, Cores
from bench.soak.greedy_tenant import describe_outcome, read_hostile_backend
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.mock_oap import FaultKind

BACKEND = "hostile"
KINDS = (FaultKind.WRONG_TYPES, FaultKind.HUGE)
"""A response just below `maxAnswerBytes` that is parsed, and one above it that is cut off."""
_EXPECTED = "OAP_RESPONSE_INVALID"
_SIZES = {FaultKind.WRONG_TYPES: 3_900_000, FaultKind.HUGE: 64 * 1024 * 1024}
_TIMEOUT_SECONDS = 15.0


@contextmanager
def start_hostile_backend(cores: Cores) -> Iterator[str]:
    """Start the OAP on the core of the static one, with a low priority. Return its address."""
    command = ("taskset", "-c", cores.oap, sys.executable, "-m", "bench.soak.hostile_backend")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout  # noqa: S101 - a pipe
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class HostileNeighbour:
    """A namespace whose measurements read the hostile OAP, one after another, until the context ends.

    Args:
        url: Address of the OAP.
        kind: Kind of its responses.
        socket: Socket of the service.

    Attributes:
        measurements: Number of completed measurements.
    """

    def __init__(self, url: str, kind: FaultKind, socket: Path) -> None:
        self.measurements = 0
        self._url = url
        self._kind = kind
        self._socket = socket
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self._unexpected = ""

    def __enter__(self) -> Self:
        self._set_faults("POST", {"kind": self._kind.value, "match": "execExpression", "size": _SIZES[self._kind]})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._set_faults("DELETE", None)
        if self._unexpected or not self.measurements:
            raise SystemExit(f"bench: {self._unexpected or 'no measurement'}, {_EXPECTED} expected from {BACKEND}")

    def _measure(self) -> None:
        with grpc.insecure_channel(f"unix:{self._socket}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
            run = rpc.MetricProviderStub(channel).Run
            for number in itertools.count():
                if self._ended.is_set() or self._unexpected:
                    return
                outcome = describe_outcome(run(read_hostile_backend(number), timeout=_TIMEOUT_SECONDS))
                if outcome != _EXPECTED:
                    self._unexpected = outcome
                self.measurements += 1

    def _set_faults(self, method: str, content: object) -> None:
        body = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}/mock/faults", body, headers, method=method)  # noqa: S310 - a local server
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):  # noqa: S310
            pass
