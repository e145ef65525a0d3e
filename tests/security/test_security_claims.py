"""Every test that docs/security.md cites exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`((?:test_|Test[A-Z])\w+)`")


def test_security_document_cites_existing_tests() -> None:
    named = set(NAMED.findall((ROOT / "docs/security.md").read_text()))
    sources = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("bridge/**/*_test.go")]
    defined = {name for path in sources for name in re.findall(r"(?:def|func) (\w+)\(", path.read_text())}

    assert len(named) > 25
    assert named <= defined
