"""Provenance of a release as an in-toto statement: how its artifacts were built, and from what."""

from collections.abc import Iterable, Mapping
from typing import Any

from tools.release.plan import CHART, IMAGE, REPOSITORY, Plan
from tools.release.source import Source

LOCKS = (
    "requirements/build.lock",
    "requirements/runtime.lock",
    "image/packages.lock",
    "bridge/go.sum",
    "expr/go.sum",
    "tools/charts/go.sum",
    "tools/release/go.sum",
)
_BUILD_TYPE = f"{REPOSITORY}/tree/main/tools/release"
_MIRROR = "https://deb.debian.org"


def build_statement(
    source: Source,
    plan: Plan,
    files: Mapping[str, str],
    digests: Mapping[str, str],
    locks: Mapping[str, str],
    packages: Iterable[str],
) -> dict[str, Any]:
    """Return a statement of in-toto v1 with the provenance of SLSA v1. It has no time of a build and no machine.

    Args:
        source: Commit of the release.
        plan: Platforms of the release.
        files: SHA-256 by the name of a file.
        digests: Digests of the image and the chart by their repositories.
        locks: SHA-256 by the path of a lock file.
        packages: Lines of image/packages.lock.
    """
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            *({"name": name, "digest": {"sha256": value}} for name, value in sorted(files.items())),
            *({"name": name, "digest": {"sha256": _hex(digests[name])}} for name in (IMAGE, CHART)),
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {"platforms": list(plan.platforms), "version": plan.version},
                "internalParameters": {"SOURCE_DATE_EPOCH": source.epoch, "changed": source.changed},
                "resolvedDependencies": [
                    {"uri": f"git+{REPOSITORY}@{source.commit}", "digest": {"gitCommit": source.commit}},
                    *(_describe_lock(source, path, value) for path, value in sorted(locks.items())),
                    *_describe_packages(plan, packages),
                ],
            },
            "runDetails": {"builder": {"id": f"{_BUILD_TYPE}#make-release"}},
        },
    }


def _describe_lock(source: Source, path: str, sha256: str) -> dict[str, Any]:
    return {"name": path, "uri": f"{REPOSITORY}/blob/{source.commit}/{path}", "digest": {"sha256": sha256}}


def _describe_packages(plan: Plan, lines: Iterable[str]) -> list[dict[str, Any]]:
    """Return the Debian packages of the image's platforms. Packages of other purposes only run the build."""
    architectures = {platform.rpartition("/")[2] for platform in plan.image_platforms}
    found = []
    for line in lines:
        if line.startswith("#"):
            continue
        purpose, architecture, name, version, path, sha256 = line.split()
        if purpose == "image" and architecture in architectures:
            found.append(
                {
                    "name": f"{name} {version} {architecture}",
                    "uri": f"pkg:deb/debian/{name}@{version}?arch={architecture}",
                    "downloadLocation": f"{_MIRROR}/{path}",
                    "digest": {"sha256": sha256},
                }
            )
    return found


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
