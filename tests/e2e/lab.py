"""Lab for tests: starts and stops the parts with the scripts in lab/ and feeds telemetry to OAP."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bench.oap_time_zone import UTC_OR_WEST, select_time_zone
from skywalking_provider.reporting.event import EVENT_NAME
from tests.e2e.kubectl import Kubectl

ROOT = Path(__file__).parents[2]
MANIFESTS = Path(__file__).parent / "manifests"
KUBERNETES = os.environ.get("LAB_KUBERNETES", "1.34")
PLUGIN = "skywalking/metrics"
PORTS = (
    "LAB_ETCD_PORT",
    "LAB_ETCD_PEER_PORT",
    "LAB_API_PORT",
    "LAB_CONTROLLER_MANAGER_PORT",
    "LAB_SCHEDULER_PORT",
    "LAB_KWOK_PORT",
    "OAP_REST_PORT",
    "OAP_GRPC_PORT",
    "LAB_CONTROLLER_METRICS_PORT",
    "LAB_CONTROLLER_HEALTH_PORT",
    "LAB_SIDECAR_HTTP_PORT",
)

ProgressReporter = Callable[[str], None]


def find_free_ports(count: int) -> list[int]:
    """Return ports without a listener. All are bound until the last one is known, so they differ."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab in its own folder."""

    folder: Path
    home: Path
    settings: dict[str, str]
    report_progress: ProgressReporter

    @classmethod
    def create(cls, folder: Path, home: Path, ports: Iterator[int], report_progress: ProgressReporter) -> "Lab":
        """Create a lab with its own ports."""
        settings = {name: str(next(ports)) for name in PORTS}
        settings |= {"LAB_DIR": str(folder), "LAB_HOME": str(home)}
        settings["OAP_ZONE"] = select_time_zone(UTC_OR_WEST, datetime.now(UTC))
        return cls(folder, home, settings, report_progress)

    @property
    def socket(self) -> Path:
        return Path(self.settings["LAB_SOCKET"])

    @property
    def http_url(self) -> str:
        """Return the URL of the service's HTTP listener."""
        return f"http://{self.http_listen}"

    @property
    def http_listen(self) -> str:
        return f"127.0.0.1:{self.settings['LAB_SIDECAR_HTTP_PORT']}"

    @property
    def bridge_folder(self) -> Path:
        """Return the folder of the bridges that the service offers for download."""
        return self.folder / "bridges"

    def reset(self) -> "Lab":
        """Stop the parts that an earlier run left and empty the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.stop()
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        (self.folder / "services.table").write_text("# services are added by the tests\n")
        return self

    def start(self, part: str, *args: str, **environment: str) -> None:
        """Run the part's script until the part is ready. The error contains the end of its log."""
        started_at = time.monotonic()
        # 240 s is longer than the script's own limit and ends only a script that hangs.
        done = subprocess.run(
            [ROOT / "lab" / f"{part}.sh", *args],
            env={**os.environ, **self.settings, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"lab/{part}.sh failed:\n{done.stdout}")
        self.report_progress(f"{part} ready in {time.monotonic() - started_at:.1f} s")

    def stop(self, *parts: str) -> None:
        environment = {**os.environ, **self.settings}
        done = subprocess.run(
            [ROOT / "lab/stop.sh", *parts], env=environment, capture_output=True, text=True, timeout=240, check=True
        )
        if stopped := done.stdout.replace("stop: ", "").splitlines():
            self.report_progress(", ".join(stopped))

    def is_running(self, part: str) -> bool:
        return (self.folder / f"{part}.pid").exists()

    def pid(self, part: str) -> int:
        return int((self.folder / f"{part}.pid").read_text().split()[0])

    def kill(self, part: str) -> None:
        """Kill a part and wait until its process has ended."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{pid}/exe").exists(), 10, f"{part} (pid {pid}) to end")

    def plugin_pid(self) -> int:
        """Return the process id of the bridge, a child of the lab's controller."""
        found = [pid for pid in child_pids(self.pid("controller")) if PLUGIN in read_command_line(pid)]
        assert len(found) == 1, f"the controller has {len(found)} plugin processes, expected 1: {found}"
        return found[0]

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.home / f"kubernetes-{KUBERNETES}/kubectl", self.folder / "kubeconfig")

    @property
    def graphql_url(self) -> str:
        return f"{self.oap_url}/graphql"

    @property
    def oap_url(self) -> str:
        """Return the base URL of the lab's OAP."""
        return f"http://127.0.0.1:{self.settings['OAP_REST_PORT']}"

    def log_tail(self, part: str, lines: int = 15, width: int = 300) -> str:
        path = self.folder / f"{part}.log"
        text = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join(line[:width] for line in text.splitlines()[-lines:])

    def add_traffic(
        self,
        service: str,
        profile: str,
        instances: str = "",
        *,
        calls: int | str = 60,
        new: bool = False,
        agent: bool = False,
    ) -> None:
        """Give a service this traffic, with the ten minutes before now unless it is new.

        Args:
            service: Name of the service.
            profile: Profile of the feeder, such as `good`.
            instances: Names of its instances with commas in between; empty for two default ones.
            calls: Calls of a minute. `60/120` alternates with the minutes of the epoch.
            new: Whether the service has no past.
            agent: Whether an agent reports it by segments and logs. It needs instances.
        """
        with (self.folder / "services.table").open("a") as rows:
            rows.write(f"{profile} {service} {calls} {instances} {'new' if new else ''} {'agent' if agent else ''}\n")

    def change_traffic(self, service: str, profile: str, instances: str, calls: int) -> None:
        """Give instances that have traffic another profile and number of calls from now on."""
        table = self.folder / "services.table"
        rows = table.read_text().splitlines()
        kept = [row for row in rows if [row.split()[1], *row.split()[3:4]] != [service, instances]]
        assert len(kept) == len(rows) - 1, f"{service} {instances} has {len(rows) - len(kept)} rows, expected 1"
        changed = table.with_suffix(".new")
        changed.write_text("\n".join([*kept, f"{profile} {service} {calls} {instances}"]) + "\n")
        changed.replace(table)  # in one step, so that the feeder never reads a part of it

    def feed_and_wait(self, service: str, profile: str) -> None:
        """Give a service this traffic and its past; wait until OAP returns five minutes of it."""
        self.add_traffic(service, profile)
        wait_for(lambda: self.count_minutes_with_calls(service, 5) == 5, 30, f"five closed minutes of {service} in OAP")

    def count_minutes_with_calls(self, service: str, last: int) -> int:
        """Count the last closed minutes of a service with calls in OAP."""
        return sum(value > 0 for value in self.read_minutes("service_cpm", service, last))

    def read_minutes(self, metric: str, service: str, last: int) -> list[int]:
        """Return a metric in the last closed minutes of a service, with a query that every OAP supports."""
        query = """query q($metric: String!, $service: String!, $duration: Duration!) {
          metric: readMetricsValues(
            condition: {name: $metric, entity: {scope: Service, serviceName: $service, normal: true}},
            duration: $duration) { values { values { value } } } }"""
        end = datetime.now(ZoneInfo(self.settings["OAP_ZONE"])) - timedelta(minutes=1)
        duration = {
            "start": f"{end - timedelta(minutes=last - 1):%Y-%m-%d %H%M}",
            "end": f"{end:%Y-%m-%d %H%M}",
            "step": "MINUTE",
        }
        found = self.query(query, metric=metric, service=service, duration=duration)
        return [one["value"] for one in found["metric"]["values"]["values"]]

    def read_events(self, service: str) -> list[dict[str, Any]]:
        """Return the provider's events of a service that began in the last hour. OAP adds one for each alarm."""
        query = """query q($condition: EventQueryCondition) { queryEvents(condition: $condition) { events {
          uuid name type message layer startTime endTime source { serviceInstance } parameters { key value } } } }"""
        now = datetime.now(ZoneInfo(self.settings["OAP_ZONE"]))
        time = {
            "start": f"{now - timedelta(hours=1):%Y-%m-%d %H%M}",
            "end": f"{now + timedelta(minutes=5):%Y-%m-%d %H%M}",
            "step": "MINUTE",
        }
        condition = {"source": {"service": service}, "time": time, "paging": {"pageSize": 100}}
        events: list[dict[str, Any]] = self.query(query, condition=condition)["queryEvents"]["events"]
        return [one for one in events if one["name"] == EVENT_NAME]

    def query(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of OAP's response to a query."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.graphql_url, body, {"content-type": "application/json"})  # noqa: S310 - a local server
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - the lab's own OAP
            data: dict[str, Any] = json.load(response)["data"]
        return data


def wait_for(condition: Callable[[], bool], seconds: float, description: str) -> None:
    """Check the condition twice a second until it holds; fail after this many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"timeout after {seconds:.0f} s while waiting for {description}"
        time.sleep(0.5)


def child_pids(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in found for child in file.read_text().split()]


def read_command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
