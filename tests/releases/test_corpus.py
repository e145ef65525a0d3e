"""Inputs that the previous releases accepted: this version accepts them, and they mean the same.

Before the first release, the corpus is that of this checkout. The changes below show what the check finds.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.releases.corpus import HERE, SCHEMAS, find_changes, select_versions, write
from tests.releases.release import parse_version
from tools.compatibility.releases import Version, may_be_incompatible, read_version
from tools.compatibility.schema_diff import find_incompatibilities

ROOT = Path(__file__).parents[2]
ACCEPTED: dict[str, str] = {}
"""Reasons by line: changes of a meaning that the changelog names, such as another default."""
RELEASES = {parse_version(path.name): path for path in HERE.glob("*.*.*") if path.is_dir()}


@pytest.fixture(scope="session")
def own_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the corpus of this checkout, in the place of the one of a release."""
    folder = tmp_path_factory.mktemp("releases") / "0.0.9"
    write(folder)
    return folder


def test_inputs_of_the_previous_releases_mean_the_same(own_corpus: Path) -> None:
    folders = [RELEASES[one] for one in select_versions(list(RELEASES), read_version(ROOT))] or [own_corpus]
    lines = [f"{folder.name}: {line}" for folder in folders for line in find_changes(folder)]

    assert [line for line in lines if line not in ACCEPTED] == []
    assert [line for line in ACCEPTED if line not in lines] == [], "ACCEPTED has a line that is not reported"


def test_schemas_accept_what_those_of_the_previous_releases_accept(own_corpus: Path) -> None:
    current = read_version(ROOT)
    versions = [one for one in RELEASES if one <= current and not may_be_incompatible(one, current)]
    for folder in [RELEASES[one] for one in versions] or [own_corpus]:
        for name, path in SCHEMAS.items():
            old, new = (json.loads(one.read_text()) for one in (folder / name, path))
            assert find_incompatibilities(old, new) == [], f"{folder.name}: {name}"


def test_corpus_has_inputs_of_each_kind(own_corpus: Path) -> None:
    counts = {path.name: len(json.loads(path.read_text())) for path in own_corpus.glob("*s.json")}

    assert counts.keys() == {"blocks.json", "configurations.json", "values.json"}
    assert min(counts.values()) >= 7
    queries = {key for entry in json.loads((own_corpus / "blocks.json").read_text()) for key in entry["content"]}
    assert {"sli", "expression", "query", "alarms", "compare"} <= queries


def add_unknown_key(entry: dict[str, Any]) -> None:
    entry["content"]["unknownKey"] = True


def change_meaning(entry: dict[str, Any]) -> None:
    first = next(iter(entry["meaning"]))
    entry["meaning"][first] = "another one"


def remember_a_removed_part(entry: dict[str, Any]) -> None:
    entry["meaning"]["removed"] = {}


@pytest.mark.parametrize("name", ["blocks.json", "configurations.json", "values.json"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_unknown_key, "is not accepted: "),
        (change_meaning, 'was "another one"'),
        (remember_a_removed_part, "/removed is missing"),
    ],
)
def test_rejected_or_changed_input_is_reported(
    own_corpus: Path, tmp_path: Path, name: str, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    for kind in ("blocks.json", "configurations.json", "values.json"):
        entries = json.loads((own_corpus / kind).read_text())[:1] if kind == name else []
        for entry in entries:
            change(entry)
        (tmp_path / kind).write_text(json.dumps(entries))

    [line] = find_changes(tmp_path)

    assert line.startswith(f"{name.removesuffix('.json')} of ")
    assert message in line


@pytest.mark.parametrize(
    ("current", "selected"),
    [
        ("0.2.0", ["0.1.0", "0.1.1", "0.2.0"]),
        ("0.2.1", ["0.1.0", "0.1.1", "0.2.0"]),
        ("0.4.0", ["0.2.0"]),
        ("0.1.0", ["0.1.0"]),
        ("0.0.9", []),
    ],
)
def test_selected_releases_are_those_of_this_minor_version_and_of_the_one_before(
    current: str, selected: list[str]
) -> None:
    released = [Version(0, 1, 0), Version(0, 1, 1), Version(0, 2, 0)]

    assert [str(one) for one in select_versions(released, parse_version(current))] == selected
