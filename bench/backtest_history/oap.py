"""A real OAP of the lab in a folder of its own, and the history that it is fed with."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from bench.backtest_history.history import MINUTES, SERVICE, PodHistory, format_history

ROOT: Final = Path(__file__).parents[2]
VERSION: Final = "10.1.0"
CALLS_PER_SECOND: Final = 40_000
_EVENING: Final = 20
"""Hour of the OAP's clock at the end of the history. One day must hold the whole of it: an OAP with H2 has no tables of
days before its start, and drops their calls."""
_ARRIVAL_SECONDS: Final = 90.0
"""Time for the OAP to store what it has acknowledged."""


@dataclass(frozen=True, slots=True)
class Oap:
    """A running OAP.

    Attributes:
        url: Base URL of its queries.
        grpc_port: Port of its receivers.
        libraries: Folder with its classes and the feeder.
        folder: Folder for logs and the history.
        zone: Time zone of its clock.
    """

    url: str
    grpc_port: int
    libraries: Path
    folder: Path
    zone: str


@contextmanager
def open_oap(folder: Path, home: Path) -> Iterator[Oap]:
    """Start an OAP without data, and stop it at the end.

    Args:
        folder: Folder for its files.
        home: Folder of the lab's built parts; `lab/build.sh oap` makes it.
    """
    (rest_port, grpc_port), zone = _find_free_ports(), select_time_zone(time.time())
    settings = {
        "LAB_DIR": str(folder),
        "LAB_HOME": str(home),
        "OAP_VERSION": VERSION,
        "OAP_REST_PORT": str(rest_port),
        "OAP_GRPC_PORT": str(grpc_port),
        "OAP_ZONE": zone,
    }
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **settings}
    try:
        _run([ROOT / "lab/oap.sh"], environment)
        yield Oap(f"http://127.0.0.1:{rest_port}", grpc_port, home / "oap" / VERSION, folder, zone)
    finally:
        _run([ROOT / "lab/stop.sh"], environment)


def select_time_zone(now: float) -> str:
    """Return a time zone in which it is evening.

    Args:
        now: Seconds since the epoch.
    """
    ahead = (_EVENING - time.gmtime(now).tm_hour + 11) % 24 - 11  # hours, -11 to 12
    return f"Etc/GMT{-ahead:+d}"  # these names have the sign of POSIX: negative east of Greenwich


def feed_history(oap: Oap, pods: PodHistory) -> int:
    """Feed an OAP with a history that ends now, and wait until it has stored all. Return its first minute.

    Raises:
        RuntimeError: The OAP has lost calls.
    """
    first = int(time.time()) // 60 - MINUTES - 1
    file = oap.folder / "history.txt"
    file.write_text("\n".join(format_history(pods, first)))
    classes = f"{oap.libraries}/feed:{oap.libraries}/libs/*"
    target = ["127.0.0.1", str(oap.grpc_port), str(file), str(CALLS_PER_SECOND)]
    _run(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes, "History", *target])
    deadline = time.monotonic() + _ARRIVAL_SECONDS
    while missing := _count_missing(oap, pods, first):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the OAP lacks {missing} calls of the history. Lower CALLS_PER_SECOND")
        time.sleep(1)
    return first


def _count_missing(oap: Oap, pods: PodHistory, first: int) -> int:
    zone = ZoneInfo(oap.zone)
    start, end = (f"{datetime.fromtimestamp(60 * at, zone):%Y-%m-%d %H%M}" for at in (first, first + MINUTES - 1))
    duration = {"start": start, "end": end, "step": "MINUTE"}
    reads = "".join(
        f'p{at}: execExpression(expression: "service_instance_cpm", duration: $d, entity: {{serviceName: "{SERVICE}",'
        f' normal: true, serviceInstanceName: "{name}"}}) {{ results {{ values {{ value }} }} }} '
        for at, name in enumerate(pods)
    )
    data = _query(oap, f"query($d: Duration!) {{ {reads} }}", {"d": duration})
    return sum(
        abs(int(one.calls.sum()) - sum(int(value["value"] or 0) for value in _values(data[f"p{at}"])))
        for at, one in enumerate(pods.values())
    )


def _values(field: Mapping[str, Any]) -> list[dict[str, Any]]:
    return field["results"][0]["values"] if field["results"] else []


def _query(oap: Oap, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{oap.url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 # an OAP of this process
        data: dict[str, Any] = json.load(response)["data"]
    return data


def _find_free_ports() -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def _run(command: list[Any], environment: Mapping[str, str] | None = None) -> None:
    """Run a program.

    Raises:
        RuntimeError: It failed; with its output.
    """
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
