"""Commands and files of docs/install.md."""

import re
import textwrap

from tests.e2e.lab import ROOT

PAGE = (ROOT / "docs" / "install.md").read_text()
NAMESPACE = "argo-rollouts"


def find_block(heading: str, first_words: str, namespace: str = NAMESPACE) -> str:
    """Return the only code block below a heading that begins with these words, for this namespace."""
    [section] = re.findall(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^( *)```\w*\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
    found = [text for _, block in blocks if (text := textwrap.dedent(block)).startswith(first_words)]
    assert len(found) == 1, f"docs/install.md has {len(found)} blocks below {heading} that begin with {first_words!r}"
    return found[0].replace(f"-n {NAMESPACE}", f"-n {namespace}")
