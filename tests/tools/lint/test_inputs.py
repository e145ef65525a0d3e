"""Inputs that are no manifests: each is a finding or nothing, and never an exception."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.sources import MAX_BYTES, Source
from skywalking_provider.tools.lint.yaml_composer import MAX_EVENTS
from skywalking_provider.tools.lint.yaml_tree import parse_yaml
from tests.tools.lint.harness import DATA, lint, lint_paths, lint_text, wrap

RATE = """\
- name: rate
  interval: 5m
  count: 3
  successCondition: result >= 0.95
  provider:
    plugin:
      skywalking/metrics: {sli: success-rate, window: 5m, minCalls: 100, service: reviews.bookinfo}
"""
WRONG = wrap(RATE.replace("0.95", "95"))


async def rules(*paths: Path | str, stdin: bytes = b"") -> list[str]:
    return [one.rule.value for one in (await lint_paths(*paths, stdin=stdin)).findings]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"a: \xff\xfe", Rule.YAML_INVALID),
        ("a: ä".encode("utf-16"), Rule.YAML_INVALID),
        (b"a: b\0c", Rule.YAML_INVALID),
        (b"a: \x07", Rule.YAML_INVALID),
        (b"\x7fELF\x02\x01\x01\0", Rule.YAML_INVALID),
        (b"a: [1", Rule.YAML_INVALID),
        (b"a: &x {<<: *x}", Rule.YAML_TOO_COMPLEX),
        (b"a: &x [*x]", Rule.YAML_TOO_COMPLEX),
        (b"[" * 100_000, Rule.YAML_TOO_COMPLEX),
        (b"- " * 100_000, Rule.YAML_TOO_COMPLEX),
        (b"{a: " * 100_000, Rule.YAML_TOO_COMPLEX),
        (b"? " * 100_000, Rule.YAML_TOO_COMPLEX),
        (b"[" + b"1, " * 300_000 + b"]", Rule.YAML_TOO_COMPLEX),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else value,
)
async def test_content_that_is_no_manifest_is_a_finding(content: bytes, rule: Rule, tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_bytes(content)

    assert await rules(file) == [rule]
    assert await rules("-", stdin=content) == [rule]


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 10 << 20])
async def test_file_that_is_too_large_is_a_finding(size: int, tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_bytes(b"a" * size)

    assert await rules(file) == [Rule.FILE_TOO_LARGE]
    assert await rules(tmp_path) == [Rule.FILE_TOO_LARGE]


def nested_merges(levels: int) -> str:
    lines = [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: 1}}\n" for n in range(1, levels)]
    return f"a0: &a0 {{k0: 1}}\n{''.join(lines)}"


def test_merge_has_each_key_once() -> None:
    parsed = parse_yaml(nested_merges(10))

    assert parsed.problems == ()
    assert list(parsed.documents[0].root.value["a9"]) == [f"k{n}" for n in range(10)]


def test_merges_that_double_with_each_level_are_a_finding() -> None:
    (problem,) = parse_yaml(nested_merges(60)).problems

    assert problem.rule is Rule.YAML_TOO_COMPLEX


def test_file_with_too_many_documents_is_a_finding() -> None:
    (problem,) = parse_yaml("--- a\n" * (MAX_EVENTS // 3 + 1)).problems

    assert problem.rule is Rule.YAML_TOO_COMPLEX


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n---\n", "null", "5", "- a\n- b", '"text"', "a: b", "kind: AnalysisTemplate"]
)
async def test_yaml_without_an_object_of_argo_has_no_finding(text: str) -> None:
    report = await lint_text(text)

    assert (report.templates, report.findings) == (0, [])


async def test_documents_before_an_error_are_linted() -> None:
    report = await lint_text(f"{WRONG}---\na: [")

    assert [one.rule for one in report.findings] == [Rule.CONDITION_CANNOT_PASS, Rule.YAML_INVALID]


@pytest.mark.parametrize(
    "value", ["null", "5", "[]", "{}", "true", "[1, {a: b}]", '"x"', "2024-01-01", ".nan", "9" * 5000]
)
@pytest.mark.parametrize(
    "key", ["metadata", "spec", "name", "args", "metrics", "provider", "block", "interval", "count"]
)
async def test_value_of_any_type_in_any_place_is_no_exception(key: str, value: str) -> None:
    parts = {
        "block": "{sli: apdex}",
        "interval": "1m",
        "count": "1",
        "name": "a",
        "args": "[]",
        "metadata": "{name: t}",
    }
    parts |= {key: value}
    provider = parts.get("provider", f"{{plugin: {{skywalking/metrics: {parts['block']}}}}}")
    metric = f"{{name: {parts['name']}, interval: {parts['interval']}, count: {parts['count']}, provider: {provider}}}"
    spec = parts.get("spec", f"{{args: {parts['args']}, metrics: {parts.get('metrics', f'[{metric}]')}}}")
    for kind in ("AnalysisTemplate", "AnalysisRun", "Rollout"):
        await lint_text(
            f"apiVersion: argoproj.io/v1alpha1\nkind: {kind}\nmetadata: {parts['metadata']}\nspec: {spec}\n"
        )


class TestFolders:
    async def test_yaml_files_are_read_in_order(self, tmp_path: Path) -> None:
        for name in ("b.yaml", "a.yml", "c.json", "d/e.yaml", ".git/f.yaml", "node_modules/g.yaml"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(WRONG)
        report = await lint_paths(tmp_path)

        assert [Path(one.file).name for one in report.findings] == ["a.yml", "b.yaml", "e.yaml"]

    async def test_templates_of_a_chart_are_skipped_and_named(self, tmp_path: Path) -> None:
        (tmp_path / "shop" / "templates").mkdir(parents=True)
        (tmp_path / "shop" / "Chart.yaml").write_text("name: shop\n")
        (tmp_path / "shop" / "templates" / "t.yaml").write_text("name: {{ .Release.Name }}\n")
        report = await lint_paths(tmp_path)

        assert report.findings == []
        assert report.skipped == [str(tmp_path / "shop" / "templates")]

    async def test_loop_of_links_is_a_finding_or_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "loop").symlink_to(tmp_path)
        (tmp_path / "a.yaml").symlink_to(tmp_path / "b.yaml")
        (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")

        assert await rules(tmp_path) == [Rule.FILE_UNREADABLE, Rule.FILE_UNREADABLE]
        assert await rules(tmp_path / "a.yaml") == [Rule.FILE_UNREADABLE]

    async def test_pipe_in_a_folder_is_a_finding(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.yaml")

        assert await rules(tmp_path) == [Rule.FILE_UNREADABLE]

    async def test_path_that_does_not_exist_is_a_finding(self, tmp_path: Path) -> None:
        assert await rules(tmp_path / "nothing.yaml") == [Rule.FILE_UNREADABLE]

    async def test_path_with_a_null_character_is_a_finding(self) -> None:
        assert await rules("a\0b") == [Rule.FILE_UNREADABLE]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
    async def test_file_and_folder_without_permission_are_findings(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").touch(0o000)
        (tmp_path / "b").mkdir(0o000)

        assert await rules(tmp_path) == [Rule.FILE_UNREADABLE, Rule.FILE_UNREADABLE]

    async def test_path_is_read_once(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(WRONG)

        assert await rules(tmp_path / "a.yaml", tmp_path / "a.yaml") == [Rule.CONDITION_CANNOT_PASS]


async def test_rendered_output_names_the_file_of_the_chart() -> None:
    text = "".join(f"---\n# Source: shop/templates/{name}.yaml\n{WRONG}" for name in ("a", "b"))
    report = await lint(Source("stdin", text))

    assert [one.source for one in report.findings] == ["shop/templates/a.yaml", "shop/templates/b.yaml"]


async def test_byte_order_mark_is_no_part_of_the_text() -> None:
    assert [one.rule for one in (await lint_text(f"\ufeff{WRONG}")).findings] == [Rule.CONDITION_CANNOT_PASS]


SNIPPETS = [text for file in sorted((DATA / "cases").glob("*.yaml")) for text in file.read_text().splitlines()]


@given(st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=20), max_size=12).map("\n".join))
def test_any_text_is_parsed_without_an_exception(text: str) -> None:
    parsed = parse_yaml(text)

    assert all(problem.place is not None for problem in parsed.problems)
