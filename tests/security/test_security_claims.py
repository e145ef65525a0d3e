"""Every test and every adversarial case that docs/security.md cites exists."""

import re
from pathlib import Path

from tests.adversary.conftest import CASES

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`((?:test_|Test[A-Z])\w+)`")


def test_security_document_cites_existing_tests() -> None:
    named = set(NAMED.findall((ROOT / "docs/security.md").read_text()))
    sources = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("bridge/**/*_test.go")]
    defined = {name for path in sources for name in re.findall(r"(?:def|func) (\w+)\(", path.read_text())}

    assert len(named) > 25
    assert named <= defined


def test_security_document_lists_every_adversarial_case() -> None:
    rows = re.findall(r"^\| ([BW]\d+) \|", (ROOT / "docs/security.md").read_text(), re.MULTILINE)

    assert rows == list(CASES)
