"""Text outside of the blocks is unchanged, whatever the layout of a file."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.tools.migrate import MigrationError, migrate
from tests.tools.migrate.harness import DATA, PLUGIN, build_query, build_template

REFERENCE = (DATA / "reference.yaml").read_text()
QUERY = build_query()

# Layouts that a YAML dumper would normalise.
OUTSIDE = [
    "  - name: web\n    provider: {web: {url: 'http://x',   jsonPath: \"{$.a}\"}}   # spaces\n",
    "  -   name:   odd\n      provider:\n          job: {}\n",
    '  - name: "quoted"\n    successCondition: >-\n      result\n        > 1\n    provider:\n      web: {}\n',
    "\n\n  # a comment  \n",
    "# at the margin\n",
    "  - name: long\n    successCondition: " + "a" * 200 + "\n    provider: {web: {url: x}}\n",
    "  - {name: yes, count: 0x10, failureLimit: ~, provider: {web: {url: x}}}\n",
]
INSIDE = [
    "      skywalking:\n        interval: 3m\n        query: '{query}'\n",
    "      skywalking:   # why\n            # deep\n            query: '{query}'\n            interval: \"3m\"\n",
    "      skywalking:\n        query: |\n          {query}\n\n\n        # x\n        interval: 3m\n        # after\n",
    "      skywalking: {{interval: 3m,\n        query: '{query}'}}  # flow\n",
    "      skywalking:\n        interval: 3m\n  # low\n        query: >-\n          {query}\n\n",
    "      ? skywalking\n      : interval: 3m\n        query: '{query}'\n",
]
HEAD = "# first\n---\napiVersion: argoproj.io/v1alpha1\nkind: {kind}\nmetadata: {{name: t}}\nspec:\n  metrics:\n"
OTHER = "---\nkind: ConfigMap\ndata:\n  a: |\n   provider:\n     skywalking: x\n\n"


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Generate a file and the list of its lines outside of blocks."""
    lines: list[str] = []
    outside: list[str] = []

    def add(text: str, *, block: bool = False) -> None:
        new = text.splitlines(keepends=True)
        lines.extend(new)
        outside.extend([] if block else new)

    for _ in range(draw(st.integers(1, 2))):
        add(draw(st.sampled_from(["", OTHER])))
        add(HEAD.format(kind=draw(st.sampled_from(["AnalysisTemplate", "ClusterAnalysisTemplate"]))))
        for number in range(draw(st.integers(1, 3))):
            add(draw(st.sampled_from(OUTSIDE)))
            add(f"  - name: m{number}\n    provider:\n")
            add(draw(st.sampled_from(INSIDE[:-1])).format(query=QUERY), block=True)
            add(draw(st.sampled_from(["    count: 3\n", "", "    # on the metric\n"])))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    bom = draw(st.sampled_from(["", "\ufeff"]))
    return bom + "".join(lines).replace("\n", newline), [line.replace("\n", newline) for line in outside]


def plugin_block(source: str) -> list[object]:
    """Return the expected documents, built from the parsed file."""
    documents = list(yaml.safe_load_all(source))
    for document in documents:
        for metric in (document or {}).get("spec", {}).get("metrics", ()):
            if "skywalking" in metric["provider"]:
                metric["provider"] = {"plugin": {PLUGIN: metric["provider"]["skywalking"]}}
    return documents


@given(files())
def test_lines_outside_of_blocks_are_unchanged_and_in_order(file: tuple[str, list[str]]) -> None:
    source, outside = file

    after = iter(migrate(source, PLUGIN).after.removeprefix("\ufeff").splitlines(keepends=True))

    missing = [
        line for line in outside if line not in after
    ]  # `in` continues where it stopped, so the order is checked too
    assert missing == []


@given(files())
def test_result_has_the_same_content_one_level_deeper(file: tuple[str, list[str]]) -> None:
    source, _ = file

    assert list(yaml.safe_load_all(migrate(source, PLUGIN).after)) == plugin_block(source)


@given(files())
def test_line_endings_are_unchanged(file: tuple[str, list[str]]) -> None:
    source, _ = file
    after = migrate(source, PLUGIN).after

    assert after.count("\r\n") == (after.count("\n") if "\r\n" in source else 0)


def test_comments_and_wider_indentation_move_with_their_block() -> None:
    source = REFERENCE.replace(
        "      skywalking:\n", "      skywalking: # why\n      # not of the block\n        # of the block\n"
    )

    after = migrate(source, PLUGIN).after

    assert (
        "      plugin:\n        skywalking/metrics: # why\n      # not of the block\n          # of the block\n"
        in after
    )


def test_json_stays_json() -> None:
    source = json.dumps(yaml.safe_load(build_template()), indent=2)

    after = migrate(source, PLUGIN).after

    assert json.loads(after) == plugin_block(source)[0]


def test_list_of_kubectl_is_migrated_item_by_item() -> None:
    source = yaml.safe_dump(
        {"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(build_template()) for _ in range(2)]}
    )

    assert len(migrate(source, PLUGIN).metrics) == 2


def test_provider_shared_by_an_anchor_is_rewritten_once() -> None:
    source = REFERENCE.replace("provider:\n", "provider: &p\n").replace("          }\n", "          }\n", 1)
    source += "  - name: again\n    provider: *p\n"

    after = migrate(source, PLUGIN).after

    assert after.count("skywalking/metrics") == 1
    assert [list(one["provider"]) for one in yaml.safe_load(after)["spec"]["metrics"]] == [["plugin"], ["plugin"]]


def test_block_shared_by_an_anchor_is_nested_in_both_metrics_and_indented_once() -> None:
    source = (
        REFERENCE.replace("skywalking:\n", "skywalking: &b\n")
        + "  - name: again\n    provider:\n      skywalking: *b\n"
    )

    after = yaml.safe_load(migrate(source, PLUGIN).after)["spec"]["metrics"]

    assert after[0]["provider"] == after[1]["provider"]
    assert list(after[1]["provider"]["plugin"]) == [PLUGIN]


def test_layout_that_cannot_be_nested_is_rejected() -> None:
    source = HEAD.format(kind="AnalysisTemplate") + "  - name: m\n    provider:\n" + INSIDE[-1].format(query=QUERY)

    with pytest.raises(MigrationError, match="write 'skywalking' on its own line"):
        migrate(source, PLUGIN)


@pytest.mark.parametrize("kind", ["AnalysisRun", "Experiment"])
def test_object_that_is_not_a_template_is_unchanged(kind: str) -> None:
    migration = migrate(REFERENCE.replace("kind: AnalysisTemplate", f"kind: {kind}"), PLUGIN)

    assert migration.after == migration.before
    assert migration.skipped == ((14, f"metric apdex of {kind} apdex not rewritten: not a template"),)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "---\n",
        "# only a comment\n",
        "a: [1, 2\n]\n",
        "- 1\n",
        "text\n",
        REFERENCE.replace("argoproj.io", "example.org"),
    ],
)
def test_text_without_a_template_is_unchanged(source: str) -> None:
    migration = migrate(source, PLUGIN)

    assert (migration.after, migration.metrics, migration.skipped) == (source, (), ())


@pytest.mark.parametrize(
    ("source", "line"), [("a: b: c\n", 1), ("a: 1\nb: [\n", 3), ("a: 1\nb: \x07\n", 2), ("a: 1\n---\nb: *x\n", 3)]
)
def test_invalid_yaml_is_rejected_with_its_line(source: str, line: int) -> None:
    with pytest.raises(MigrationError) as caught:
        migrate(source, PLUGIN)

    assert caught.value.line == line
