"""The provenance of a release."""

from typing import Any

from tools.release.plan import CHART, IMAGE, Plan
from tools.release.provenance import build_statement
from tools.release.source import Source

COMMIT = "c0ffee" * 6 + "abcd"
SOURCE = Source(COMMIT, 1_700_000_000, changed=False, tree=COMMIT)
PACKAGES = [
    "# Written by image/lock: purpose, architecture, package, version, path on Debian's mirrors, SHA-256",
    f"image amd64 libssl3 3.0-1 debian/pool/libssl3_3.0-1_amd64.deb {'1' * 64}",
    f"image arm64 libssl3 3.0-1 debian/pool/libssl3_3.0-1_arm64.deb {'2' * 64}",
    f"emulator amd64 qemu-user 10 debian/pool/qemu-user_10_amd64.deb {'3' * 64}",
]


def build(*platforms: str) -> dict[str, Any]:
    return build_statement(
        SOURCE,
        Plan("1.2.3", platforms),
        {"b": "b" * 64, "a": "a" * 64},
        {IMAGE: f"sha256:{'c' * 64}", CHART: f"sha256:{'d' * 64}"},
        {"requirements/runtime.lock": "e" * 64},
        PACKAGES,
    )


def test_provenance_names_all_artifacts_by_their_sha256() -> None:
    statement = build("linux/amd64")

    assert (statement["_type"], statement["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    subjects = [(subject["name"], subject["digest"]["sha256"][0]) for subject in statement["subject"]]
    assert subjects == [("a", "a"), ("b", "b"), (IMAGE, "c"), (CHART, "d")]


def test_provenance_names_the_commit_the_locks_and_the_packages_of_the_platforms() -> None:
    [commit, lock, *packages] = build("linux/amd64")["predicate"]["buildDefinition"]["resolvedDependencies"]

    assert commit["digest"] == {"gitCommit": COMMIT}
    assert commit["uri"].endswith(f"@{COMMIT}")
    assert (lock["name"], lock["digest"]) == ("requirements/runtime.lock", {"sha256": "e" * 64})
    assert [(package["name"], package["digest"]["sha256"][0]) for package in packages] == [("libssl3 3.0-1 amd64", "1")]
    assert packages[0]["downloadLocation"] == "https://deb.debian.org/debian/pool/libssl3_3.0-1_amd64.deb"
    both = build("linux/amd64", "linux/arm64")["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert len(both) == 4


def test_provenance_has_no_time_of_the_build() -> None:
    predicate = build("linux/amd64")["predicate"]

    assert predicate["runDetails"].keys() == {"builder"}
    assert predicate["buildDefinition"]["internalParameters"] == {"SOURCE_DATE_EPOCH": 1_700_000_000, "changed": False}
