"""The talk's template on a live OAP with its default flush: Argo's built-in provider and ours, side by side.

Every few seconds both judge a healthy and a failing service through Argo's own code (bridge/cmd/argo-host): the
built-in provider in its process, ours through the bridge and the service. `make bench-live` runs it; it takes eight
minutes.
"""

import argparse
import asyncio
import json
import os
import platform
import socket
import subprocess
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
SERVICES = {
    "healthy": ("good", "canary|reviews|healthy|cluster-1|-"),
    "failing": ("bad", "canary|reviews|failing|cluster-1|-"),
}
CONDITION = "all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"
PHASES = ("Successful", "Failed", "Running", "Inconclusive", "Error")


def build_block(service: str, port: int) -> dict[str, Any]:
    """The talk's block."""
    return {
        "interval": "3m",
        "address": f"http://127.0.0.1:{port}",
        "query": f"""query queryData($duration: Duration!) {{
          service_apdex: readMetricsValues(
            condition: {{ name: "service_apdex",
              entity: {{ scope: Service, serviceName: "{service}", normal: true }} }},
            duration: $duration) {{ label values {{ values {{ value }} }} }} }}""",
    }


def build_request(side: str, service: str, port: int) -> dict[str, Any]:
    """What argo-host is asked."""
    provider = (
        {"skywalking": build_block(service, port)}
        if side == "built-in"
        else {"plugin": {"skywalking/metrics": build_block(service, port)}}
    )
    metric = {"name": "apdex", "successCondition": CONDITION, "provider": provider}
    return {"op": "builtin" if side == "built-in" else "run", "metric": metric}


class ArgoHostClient:
    """argo-host, asked concurrently."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self._reader = asyncio.create_task(self._read())

    async def request(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The measurement of one request."""
        assert self._process.stdin  # noqa: S101 - opened with pipes
        self._last_id += 1
        answer = self._pending[self._last_id] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": self._last_id} | payload).encode() + b"\n")
        await self._process.stdin.drain()
        async with asyncio.timeout(60):
            return (await answer).get("measurement") or {"phase": "Error"}

    async def _read(self) -> None:
        assert self._process.stdout  # noqa: S101
        async for line in self._process.stdout:
            answer = json.loads(line)
            self._pending.pop(answer["id"]).set_result(answer)


async def collect_samples(
    host: ArgoHostClient, port: int, samples: int, interval: float, console: Console
) -> list[dict[str, Any]]:
    """Ask both judges about both services, at the same moment, so many times."""
    rows: list[dict[str, Any]] = []
    for number in range(samples):
        at = datetime.now(UTC)
        cases = [(judge, name) for judge in ("built-in", "ours") for name in SERVICES]
        answers = await asyncio.gather(
            *(host.request(build_request(judge, SERVICES[name][1], port)) for judge, name in cases)
        )
        rows += [
            {"second": at.second, "judge": judge, "service": name, "phase": answer["phase"]}
            for (judge, name), answer in zip(cases, answers, strict=True)
        ]
        if number % 12 == 0:
            console.print(f"{number:4} of {samples}: {', '.join(row['phase'] for row in rows[-4:])}", highlight=False)
        await asyncio.sleep(max(0.0, interval - (datetime.now(UTC) - at).total_seconds()))
    return rows


def build_phase_table(rows: list[dict[str, Any]]) -> Table:
    """Phases by service and judge."""
    table = Table("service", "judge", *PHASES, "of")
    for name in SERVICES:
        for judge in ("built-in", "ours"):
            phases = Counter(row["phase"] for row in rows if (row["service"], row["judge"]) == (name, judge))
            table.add_row(name, judge, *(str(phases[phase]) for phase in PHASES), str(sum(phases.values())))
    return table


def run_lab_script(script: str, environment: dict[str, str]) -> None:
    """Start or stop a part of the lab."""
    subprocess.run([ROOT / "lab" / script], env=os.environ | environment, check=True, stdout=subprocess.DEVNULL)


def find_free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


async def main() -> int:
    """Run it; ends with 0 if ours was never wrong."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--samples", type=int, default=96)
    arguments.add_argument("--every", type=float, default=5.0, help="seconds")
    arguments.add_argument("--json", type=Path, help="where the raw samples go")
    wanted = arguments.parse_args()
    console = Console()
    folder = ROOT / ".cache/lab/run/bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "services.table").write_text("".join(f"{profile} {name} 60\n" for profile, name in SERVICES.values()))
    rest, grpc = find_free_ports(2)
    with tempfile.TemporaryDirectory(prefix="bench-") as short:
        config = folder / "bench.yaml"
        config.write_text(yaml.safe_dump({"backends": {"prod": {"url": f"http://127.0.0.1:{rest}"}}}))
        environment = {
            "LAB_DIR": str(folder),
            "LAB_SOCKET": f"{short}/provider.sock",
            "LAB_SIDECAR_CONFIG": str(config),
            "OAP_REST_PORT": str(rest),
            "OAP_GRPC_PORT": str(grpc),
            "OAP_PERSIST_S": "25",  # the distribution's default
            "TZ": "UTC",
        }
        try:
            for part in ("oap.sh", "feed.sh", "sidecar.sh"):
                console.print(f"starting {part.removesuffix('.sh')}")
                run_lab_script(part, environment)
            await asyncio.sleep(30)  # one flush
            rows = await measure_with_host(environment, rest, wanted, console)
        finally:
            run_lab_script("stop.sh", environment)
    console.print(build_phase_table(rows))
    if wanted.json:
        about = {
            "machine": platform.platform(),
            "cpus": os.cpu_count(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        wanted.json.parent.mkdir(parents=True, exist_ok=True)
        wanted.json.write_text(json.dumps(about | {"every": wanted.every, "samples": rows}, indent=1) + "\n")
    wrong = {("healthy", "Failed"), ("failing", "Successful")}
    return int(any(row["judge"] == "ours" and (row["service"], row["phase"]) in wrong for row in rows))


async def measure_with_host(
    environment: dict[str, str], port: int, options: argparse.Namespace, console: Console
) -> list[dict[str, Any]]:
    """The samples of a host that lives as long as they take."""
    process = await asyncio.create_subprocess_exec(
        str(ROOT / ".cache/bin/argo-host"),
        *(f"--plugin-binary={ROOT}/.cache/bin/skywalking-bridge", f"--arg=--socket={environment['LAB_SOCKET']}"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TZ": "UTC"},
        limit=16 << 20,
    )
    try:
        return await collect_samples(ArgoHostClient(process), port, options.samples, options.every, console)
    finally:
        if process.stdin:
            process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
