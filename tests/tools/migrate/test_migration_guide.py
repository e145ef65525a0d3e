"""The examples of docs/migrate.md match the command."""

import re
from pathlib import Path

import pytest

from skywalking_provider.tools.migrate import Migration, migrate
from tests.tools.migrate.harness import PLUGIN, migrate_to_expression

GUIDE = Path(__file__).parents[3] / "docs" / "migrate.md"


@pytest.fixture
def examples() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


def test_example_of_the_guide_is_migrated_as_shown(examples: list[str]) -> None:
    before, after, expression = examples

    assert migrate(before, PLUGIN).after == after
    assert migrate_to_expression(before).after == expression
    assert migrate_to_expression(after).after == expression


def test_table_of_the_guide_has_every_topic_of_the_notes(examples: list[str]) -> None:
    migration: Migration = migrate(examples[0], PLUGIN)
    table = GUIDE.read_text().split("## Changes in behaviour")[1].split("## ")[0]
    rows = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)
    names = {
        "absent": "a minute without data",
        "since": "minutes before the start of the run",
        "no data": "no data at all",
        "names": "a service named by a label of its pods",
        "outage": "OAP server unavailable",
        "address": "`address`",
    }

    assert {names.get(note.topic, note.topic) for note in migration.metrics[0].notes} <= set(rows)
