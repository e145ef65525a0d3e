"""Node with real containers for tests, started and stopped by the scripts in lab/node."""

import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.kubectl import Kubectl
from tests.e2e.lab import ROOT
from tests.releases.release import Release

SCRIPTS = ROOT / "lab" / "node"
PROGRAMS = ROOT / ".cache" / "bin"  # Helm and kustomize


class NodeError(RuntimeError):
    """Output of a command that failed in the node."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node in its own folder."""

    folder: Path
    home: Path
    installing: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(3), compare=False)
    """Limits installations at a time: the starts of their processes are the greatest load of these tests."""
    releases: "Future[dict[str, Release]]" = field(default_factory=Future, compare=False)
    """Releases in the node's registry, by role, once they are published (published.py)."""

    @property
    def environment(self) -> dict[str, str]:
        path = f"{PROGRAMS}:{os.environ['PATH']}"
        own = {"LAB_DIR": str(self.folder), "LAB_HOME": str(self.home), "PATH": path}
        authority = self.folder / "registry/ca.crt"
        return os.environ | own | ({"SSL_CERT_FILE": str(authority)} if authority.exists() else {})

    def _execute(self, command: list[str], cwd: Path, seconds: float, stdin: str | None = None) -> str:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise NodeError(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, *archives: Path) -> None:
        self.stop()
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        self._execute([str(SCRIPTS / "up.sh"), *map(str, archives)], ROOT, 300)
        # kubectl in the node, as a program outside.
        wrapper = f'#!/bin/sh\nLAB_DIR={self.folder} LAB_HOME={self.home} exec {SCRIPTS}/run.sh kubectl "$@"\n'
        (self.folder / "kubectl").write_text(wrapper)
        (self.folder / "kubectl").chmod(0o755)

    def stop(self) -> None:
        self._execute([str(SCRIPTS / "stop.sh")], ROOT, 120)

    def run(self, *command: str, cwd: Path = ROOT, seconds: float = 300, stdin: str | None = None) -> str:
        """Run a command in the node and return its output. The limit ends only a command that hangs."""
        return self._execute([str(SCRIPTS / "run.sh"), *command], cwd, seconds, stdin)

    def shell(self, script: str, cwd: Path = ROOT, seconds: float = 300) -> str:
        """Run shell commands in the node until the first that fails."""
        return self.run("bash", "-euo", "pipefail", "-c", script, cwd=cwd, seconds=seconds)

    def kubectl(self, namespace: str = "default") -> Kubectl:
        return Kubectl(self.folder / "kubectl", self.folder / "kubeconfig", namespace, seconds=300)

    def signal(self, signal: str, namespace: str, pod: str, container: str) -> None:
        """Send a signal to the first process of a container."""
        labels = {"pod.namespace": namespace, "pod.name": pod, "container.name": container}
        query = ",".join(f'labels."io.kubernetes.{key}"=={value}' for key, value in labels.items())
        ids = self.run("ctr", "containers", "list", "--quiet", query).split()
        tasks = [line.split() for line in self.run("ctr", "tasks", "list").splitlines()[1:]]
        pids = [pid for task, pid, status in tasks if task in ids and status == "RUNNING"]
        assert len(pids) == 1, f"{pod} has {len(pids)} running containers {container}, expected 1"
        self.run("kill", f"-{signal}", pids[0])


def wait_for(condition: Callable[[], bool], description: str, seconds: float = 240) -> None:
    """Check the condition every two seconds until it holds. The limit ends only a test that fails.

    Several tests run at a time, and each check starts a kubectl.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"timeout after {seconds:.0f} s while waiting for {description}"
        time.sleep(2)
