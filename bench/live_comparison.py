"""Comparison of Argo's built-in provider and this provider on a live OAP with its default flush period of 25 s.

Every few seconds both measure a healthy and a failing service with the reference template, through Argo's own code
(bridge/cmd/argo-host): the built-in provider in its process, this one through the bridge and the service.
`make bench-live` runs it; it takes eight minutes.
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
PROVIDERS = ("built-in", "plugin")
PHASES = ("Successful", "Failed", "Running", "Inconclusive", "Error")


def build_block(service: str, port: int) -> dict[str, Any]:
    """Build the block of the reference template."""
    return {
        "interval": "3m",
        "address": f"http://127.0.0.1:{port}",
        "query": f"""query queryData($duration: Duration!) {{
          service_apdex: readMetricsValues(
            condition: {{ name: "service_apdex",
              entity: {{ scope: Service, serviceName: "{service}", normal: true }} }},
            duration: $duration) {{ label values {{ values {{ value }} }} }} }}""",
    }


def build_request(provider_name: str, service: str, port: int) -> dict[str, Any]:
    """Build the request to argo-host."""
    provider = (
        {"skywalking": build_block(service, port)}
        if provider_name == "built-in"
        else {"plugin": {"skywalking/metrics": build_block(service, port)}}
    )
    metric = {"name": "apdex", "successCondition": CONDITION, "provider": provider}
    return {"op": "builtin" if provider_name == "built-in" else "run", "metric": metric}


class ArgoHostClient:
    """Client of an argo-host process with concurrent requests."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self._reader = asyncio.create_task(self._read())

    async def request(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the measurement."""
        assert self._process.stdin  # noqa: S101 - opened with pipes
        self._last_id += 1
        response = self._pending[self._last_id] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": self._last_id} | payload).encode() + b"\n")
        await self._process.stdin.drain()
        async with asyncio.timeout(60):
            return (await response).get("measurement") or {"phase": "Error"}

    async def _read(self) -> None:
        assert self._process.stdout  # noqa: S101
        async for line in self._process.stdout:
            response = json.loads(line)
            self._pending.pop(response["id"]).set_result(response)


async def collect_samples(
    host: ArgoHostClient, port: int, samples: int, interval: float, console: Console
) -> list[dict[str, Any]]:
    """Measure both services with both providers at the same time, repeatedly."""
    rows: list[dict[str, Any]] = []
    for number in range(samples):
        at = datetime.now(UTC)
        cases = [(provider, name) for provider in PROVIDERS for name in SERVICES]
        measurements = await asyncio.gather(
            *(host.request(build_request(provider, SERVICES[name][1], port)) for provider, name in cases)
        )
        rows += [
            {"second": at.second, "provider": provider, "service": name, "phase": measurement["phase"]}
            for (provider, name), measurement in zip(cases, measurements, strict=True)
        ]
        if number % 12 == 0:
            console.print(f"{number:4} of {samples}: {', '.join(row['phase'] for row in rows[-4:])}", highlight=False)
        await asyncio.sleep(max(0.0, interval - (datetime.now(UTC) - at).total_seconds()))
    return rows


def build_phase_table(rows: list[dict[str, Any]]) -> Table:
    """Build the table of phases by service and provider."""
    table = Table("service", "provider", *PHASES, "total")
    for name in SERVICES:
        for provider in PROVIDERS:
            phases = Counter(row["phase"] for row in rows if (row["service"], row["provider"]) == (name, provider))
            table.add_row(name, provider, *(str(phases[phase]) for phase in PHASES), str(sum(phases.values())))
    return table


def run_lab_script(script: str, environment: dict[str, str]) -> None:
    """Run a script of the lab, which starts or stops a part."""
    subprocess.run([ROOT / "lab" / script], env=os.environ | environment, check=True, stdout=subprocess.DEVNULL)


def find_free_ports(count: int) -> list[int]:
    """Return ports without a listener. All are bound until the last one is known, so they differ."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


async def main() -> int:
    """Run the command; return 0 if this provider gave no wrong verdict."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--samples", type=int, default=96, help="number of samples (default: 96)")
    arguments.add_argument("--interval", type=float, default=5.0, help="seconds between two samples (default: 5)")
    arguments.add_argument("--json", type=Path, help="file for the raw samples")
    options = arguments.parse_args()
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
            await asyncio.sleep(30)  # one flush period and a margin
            rows = await measure_with_host(environment, rest, options, console)
        finally:
            run_lab_script("stop.sh", environment)
    console.print(build_phase_table(rows))
    if options.json:
        about = {
            "machine": platform.platform(),
            "cpus": os.cpu_count(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        results = about | {"intervalSeconds": options.interval, "samples": rows}
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    wrong_verdicts = {("healthy", "Failed"), ("failing", "Successful")}
    return int(any(row["provider"] == "plugin" and (row["service"], row["phase"]) in wrong_verdicts for row in rows))


async def measure_with_host(
    environment: dict[str, str], port: int, options: argparse.Namespace, console: Console
) -> list[dict[str, Any]]:
    """Start argo-host, collect the samples and stop it."""
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
        return await collect_samples(ArgoHostClient(process), port, options.samples, options.interval, console)
    finally:
        if process.stdin:
            process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
