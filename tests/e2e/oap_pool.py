"""Real OAPs of several versions and time zones besides the lab's own, each a backend of the same sidecar."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import yaml

from bench.oap_time_zone import UTC_OR_WEST, select_time_zone
from tests.e2e.lab import ROOT, Lab, ProgressReporter

VERSIONS = {
    "10.1.0": ("Asia/Shanghai", "America/New_York"),
    "9.6.0": UTC_OR_WEST,
    "9.2.0": ("America/St_Johns", "Asia/Kathmandu"),
}
"""Time zones by version, of which one is selected. 9.2.0 has neither MQE nor `isEmptyValue`."""

RESTARTED_OAP = "restarted"
"""An OAP that a test kills. Its data is in a file and survives, as in a real storage."""

REFERENCE_ADDRESS = "http://oap.istio-system:12800"


class OapPool:
    """OAPs that start at their first use and run until the end of the session."""

    def __init__(self, home: Path, ports: Iterator[int], report_progress: ProgressReporter) -> None:
        self._report_progress = report_progress
        self._labs = {
            name: Lab.create(home / f"run/e2e-{name}", home, ports, report_progress)
            for name in (*VERSIONS, RESTARTED_OAP)
        }
        for name, zones in VERSIONS.items():
            self._labs[name].settings.update(OAP_VERSION=name, OAP_ZONE=select_time_zone(zones, datetime.now(UTC)))
        self._labs["10.1.0"].settings["OAP_AGENT"] = "default"  # it receives the segments and logs of agents, too
        storage = self._labs[RESTARTED_OAP].folder / "h2"
        self._labs[RESTARTED_OAP].settings.update(OAP_VERSION="10.1.0", OAP_H2=f"file:{storage}/oap")

    @property
    def events(self) -> Mapping[str, dict[str, object]]:
        """Return the configuration of events by OAP: one over gRPC, one over HTTP. 9.2.0 has no event receiver."""
        grpc = f"127.0.0.1:{self._labs['10.1.0'].settings['OAP_GRPC_PORT']}"
        return {"10.1.0": {"enabled": True, "address": grpc}, "9.6.0": {"enabled": True}}

    @property
    def urls(self) -> Mapping[str, str]:
        return {name: lab.oap_url for name, lab in self._labs.items()}

    def ensure_running(self, name: str) -> Lab:
        """Return the OAP with this name; start it and its feeder unless they run."""
        lab = self._labs[name]
        if not lab.is_running("feed"):
            version, zone = lab.settings["OAP_VERSION"], lab.settings["OAP_ZONE"]
            self._report_progress(f"OAP {version} in {zone}")
            environment = {**os.environ, **lab.settings}
            subprocess.run([ROOT / "lab/build.sh", "oap"], env=environment, check=True, capture_output=True)
            lab.start("oap")
            lab.start("feed")
        return lab

    def reset(self) -> "OapPool":
        for lab in self._labs.values():
            lab.reset()
        return self

    def stop(self, *names: str) -> None:
        """Stop these OAPs, or all."""
        for name in names or self._labs:
            self._labs[name].stop()


def backend_name(name: str) -> str:
    """Return the name of this OAP's backend in the sidecar's configuration."""
    return f"oap-{name}".replace(".", "-")


def build_sidecar_config(lab: Lab, oap_pool: OapPool) -> str:
    """Build the sidecar's configuration. The reference template selects the lab's own OAP, the others by name."""
    # The reference address is only an alias that selects the backend. No connection to it is made.
    own: dict[str, object] = {"url": lab.oap_url, "aliases": [REFERENCE_ADDRESS], "events": {"enabled": True}}
    backends = {"prod": own} | {backend_name(name): {"url": url} for name, url in oap_pool.urls.items()}
    for name, events in oap_pool.events.items():
        backends[backend_name(name)]["events"] = events
    for backend in backends.values():
        backend["settle"] = "5s"
    http = {"listen": lab.http_listen, "bridges": str(lab.bridge_folder)}
    return yaml.safe_dump({"http": http, "backends": backends})
