"""The build of the documentation site rejects pages and links that a reader would miss."""

from pathlib import Path

import pytest

from tests.site.build import build_site, copy_sources

FAULTS = """
[page](nothing.md) [anchor](check.md#no-such-heading) [same page](#nothing) ![image](no-such.png)

[reference][target]

[target]: no-such-target.md
"""


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Errors of one build of pages with one fault of each kind."""
    folder = tmp_path_factory.mktemp("faults")
    root = copy_sources(folder / "root")
    with (root / "docs/judge.md").open("a") as page:
        page.write(FAULTS)
    (root / "docs/forgotten.md").write_text("# A page\n")
    navigation = root / "mkdocs.yml"
    navigation.write_text(navigation.read_text().replace("  - Home: index.md", "  - Home: index.md\n  - removed.md"))
    done = build_site(folder, "--root", str(root))
    assert done.returncode == 1
    assert not (folder / "site").exists()
    return done.stderr


@pytest.mark.parametrize(
    "error",
    [
        "nav of mkdocs.yml lacks a page: forgotten.md.",
        "nav of mkdocs.yml names a page that does not exist: removed.md.",
        "docs/judge.md links to a file that does not exist: nothing.md.",
        "docs/judge.md links to a file that does not exist: no-such.png.",
    ],
)
def test_page_or_file_that_is_missing_fails_the_build(errors: str, error: str) -> None:
    assert error in errors


@pytest.mark.parametrize("fault", ["check.md#no-such-heading", "#nothing", "no-such-target.md"])
def test_link_without_a_target_fails_the_build(errors: str, fault: str) -> None:
    assert fault in errors.partition("Build started")[2]


def test_build_without_faults_writes_one_version(site: Path) -> None:
    assert [path.name for path in site.iterdir() if path.is_dir()] == ["0.1.0"]
    assert "url=0.1.0/index.html" in (site / "index.html").read_text()
