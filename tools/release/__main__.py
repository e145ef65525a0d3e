"""Release: all artifacts of the checkout's commit in `dist/`, the same bytes on each machine.

Usage: python3 -m tools.release     (make release)
Environment: PLATFORMS (all by default), ALLOW_DIRTY (builds a checkout with changes, for trials).
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.release.build import Builder, hash_file, read_digest, read_platform_digests
from tools.release.plan import CHART, IMAGE, Plan, format_checksums, parse_platforms
from tools.release.provenance import LOCKS, build_statement
from tools.release.source import ReleaseError, Source, export_source, read_source, read_version

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Build a release; return 1 with a message if that is not possible."""
    try:
        allow_changes = os.environ.get("ALLOW_DIRTY", "") not in {"", "0"}
        build_release(ROOT, parse_platforms(os.environ.get("PLATFORMS", "")), allow_changes=allow_changes)
    except ReleaseError as error:
        print(f"make release: {error}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(
            f"make release: {error.cmd[0]} failed: exit code {error.returncode}. Read its output above.",
            file=sys.stderr,
        )
    else:
        return 0
    return 1


def build_release(root: Path, platforms: tuple[str, ...], *, allow_changes: bool) -> None:
    """Build a release of a checkout and replace its folder `dist`."""
    source = read_source(root, allow_changes=allow_changes)
    if os.geteuid():
        raise ReleaseError("the image's files need their owners, which only root can set. Run it as root.")
    os.umask(0o022)
    work, tools = root / ".cache/release", root / ".cache/bin"
    shutil.rmtree(work, ignore_errors=True)
    export_source(root, source, work / "src")
    plan = Plan(read_version(work / "src"), platforms)
    print(f"    version {plan.version}, commit {source.commit}{' with changes' if source.changed else ''}", flush=True)
    out = work / "dist"
    out.mkdir()
    builder = Builder(source, plan, work, tools, out)
    builder.build_condition_language()
    bridges = builder.build_bridges()
    builder.build_packages()
    builder.build_image()
    builder.build_chart()
    builder.write_bills(bridges)
    write_summary(source, plan, out, bridges)
    write_provenance(source, plan, out, work / "src")
    (out / "SHA256SUMS").write_text(format_checksums(hash_files(out).items()))
    shutil.rmtree(root / "dist", ignore_errors=True)
    out.rename(root / "dist")
    print((root / "dist/release.json").read_text(), end="")


def write_summary(source: Source, plan: Plan, out: Path, bridges: dict[str, Path]) -> None:
    """Write release.json."""
    summary = {
        "version": plan.version,
        "commit": source.commit,
        "changed": source.changed,
        "image": {
            "repository": IMAGE,
            "tag": plan.version,
            "digest": read_digest(out / "image"),
            "platforms": read_platform_digests(out / "image"),
        },
        "chart": {"repository": CHART, "tag": plan.version, "digest": read_digest(out / "chart")},
        "bridges": {
            platform: {"url": plan.bridge_url(platform), "sha256": hash_file(path)}
            for platform, path in bridges.items()
        },
    }
    (out / "release.json").write_text(json.dumps(summary, indent=2) + "\n")


def write_provenance(source: Source, plan: Plan, out: Path, src: Path) -> None:
    """Write the provenance of all artifacts."""
    digests = {IMAGE: read_digest(out / "image"), CHART: read_digest(out / "chart")}
    locks = {name: hash_file(src / name) for name in LOCKS}
    packages = (src / "image/packages.lock").read_text().splitlines()
    statement = build_statement(source, plan, hash_files(out), digests, locks, packages)
    (out / "provenance.intoto.json").write_text(json.dumps(statement, indent=2) + "\n")


def hash_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files in a folder, without its subfolders."""
    return {path.name: hash_file(path) for path in folder.iterdir() if path.is_file()}


if __name__ == "__main__":
    sys.exit(main())
