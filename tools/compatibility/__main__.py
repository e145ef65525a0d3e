"""Check of what is published against the last release: `python -m tools.compatibility`, `--write` renews its record.

It compares the contract (buf), the schemas of the block and of the charts' values, reason codes, metrics and the keys
of the configuration. docs/compatibility.md is the policy.

The exit code is 1 if a change is incompatible and the version in pyproject.toml does not permit it.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.compatibility.published import PATH, build_published, find_removed_names
from tools.compatibility.releases import extract_release, find_last_release, may_be_incompatible, read_version
from tools.compatibility.schema_diff import find_incompatibilities

ACCEPTED: dict[str, str] = {}
"""Reasons by line of the report: changes that the check cannot show to be compatible, such as a wider `pattern`."""

ROOT = Path(__file__).parents[2]
_SCHEMAS = ("docs/block.schema.json", "charts/*/values.schema.json")
_BUF = Path(sys.executable).parent / "buf"


def main(root: Path = ROOT, accepted: Mapping[str, str] = ACCEPTED) -> int:
    """Print the incompatible changes since the last release; return 1 if the version does not permit them."""
    if (last := find_last_release(root)) is None:
        print("no release yet: nothing published to compare with")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        released = Path(folder)
        extract_release(root, last, released, "proto", PATH, "docs/block.schema.json", "charts")
        lines = [*_compare_schemas(released, root), *_compare_names(released, root), *_compare_contract(released, root)]
    unused = [line for line in accepted if line not in lines]
    lines = [line for line in lines if line not in accepted]
    version = read_version(root)
    permitted = may_be_incompatible(last, version)
    for line in lines:
        print(f"{'incompatible' if permitted else 'INCOMPATIBLE'}: {line}")
    for line in unused:
        print(f"ACCEPTED has a line that the check does not report: {line}. Remove it from tools/compatibility.")
    if lines and not permitted:
        print(
            f"Version {version} must stay compatible with the release v{last}. Undo the change, or increase the version"
            " in pyproject.toml as docs/compatibility.md says."
        )
    if not lines and not unused:
        print(f"compatible with the release v{last}")
    return 1 if unused or (lines and not permitted) else 0


def _compare_schemas(released: Path, root: Path) -> Iterator[str]:
    for path in sorted(path for pattern in _SCHEMAS for path in released.glob(pattern)):
        name = str(path.relative_to(released))
        if (root / name).exists():
            yield from (f"{name}: {line}" for line in find_incompatibilities(_read(path), _read(root / name)))
        else:
            yield f"{name}: the file was removed"


def _compare_names(released: Path, root: Path) -> list[str]:
    return find_removed_names(_read(released / PATH), _read(root / PATH)) if (released / PATH).exists() else []


def _compare_contract(released: Path, root: Path) -> list[str]:
    if not (released / "proto").is_dir():
        return []
    command = [str(_BUF), "breaking", "--against", str(released / "proto")]
    done = subprocess.run(command, cwd=root / "proto", capture_output=True, text=True, check=False)
    if done.returncode != 0 and not done.stdout:
        raise RuntimeError(f"buf breaking failed: {done.stderr.strip()}")
    return [f"proto/{line}" for line in done.stdout.splitlines()]


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def write(root: Path = ROOT) -> None:
    """Write `docs/published.json`."""
    content = build_published((root / "docs/reasons.md").read_text())
    (root / PATH).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        sys.exit(main())
