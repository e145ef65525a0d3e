"""The node itself: its version, its credentials, and what it leaves on the machine."""

import json
import re
from pathlib import Path

from tests.e2e.containers.node import Node
from tests.e2e.containers.side_by_side import side_by_side
from tests.e2e.lab import KUBERNETES, ROOT

SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")


def read_settings() -> dict[str, str]:
    return {name: Path("/proc/sys", name).read_text() for name in SETTINGS}


def find_processes(text: str) -> list[str]:
    """Return the command lines that contain a text, except those of ended processes."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_text(errors="replace").replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [line for line in lines if text in line]


@side_by_side
def test_second_node_runs_and_leaves_nothing_on_the_machine(node: Node) -> None:
    second = Node(node.folder.with_name("e2e-second-node"), node.home)
    before, interfaces = read_settings(), sorted(path.name for path in Path("/sys/class/net").iterdir())
    try:
        with node.installing:
            second.start()
        groups = [Path(line.split()[1]) for line in (second.folder / "cgroups").read_text().splitlines()]
        assert groups
        assert all(group.is_dir() for group in groups)
        [release] = re.findall(
            r"^\tk8s\.io/kubernetes (v\S+)", (ROOT / f"lab/kubernetes-{KUBERNETES}/go.mod").read_text(), re.MULTILINE
        )
        version = json.loads(second.run("kubectl", "version", "-o", "json"))["serverVersion"]
        assert (version["gitVersion"], version["major"], version["minor"]) == (release, *release[1:].split(".")[:2])
        # OAP's client and Argo CD send a token file as it is, and a newline is not allowed in a header.
        assert re.fullmatch(rb"[0-9a-f]+", (second.folder / "pki/token").read_bytes())
    finally:
        second.stop()

    assert [group for group in groups if group.exists()] == []
    assert find_processes(str(second.folder)) == []
    assert str(second.folder) not in Path("/proc/self/mounts").read_text()
    assert sorted(path.name for path in Path("/sys/class/net").iterdir()) == interfaces
    assert read_settings() == before
