"""Rejects words that the glossary replaces: `python tools/plain_words.py [FILE...]`, all tracked files by default.

docs/glossary.md has the standard term for each. ADRs and the changelog may name what was replaced.
"""

import re
import subprocess
import sys
from pathlib import Path

WORDS = r"""
told | spared? | spares | mend(s|ed|ing)? | nobody | somebody | whoever | weather | errands?
| silen(ce(?![-_]?\ ?period)|t|tly)
| troubles? | healed | woven | to[ _]the[ _]letter | of[ _]late | as[ _]ever
"""
IDENTIFIERS = """
Answered Asked BackendAway CelConditions ExprConditions Errand Flights Lane Lanes Languages Mistake
NotYetKnown Patience Seat Slots Suspect SliSpec Trail Turns Verdicts Wanted WordlessExporter
OAP_AWAY PROVIDER_AWAY PROVIDER_BUSY OAP_REFUSED OAP_ANSWER_INVALID ENTITY_UNKNOWN BACKEND_UNKNOWN BRIDGE_BUG
SkyWalkingBackendAway SkyWalkingProviderSheds answerTtl answer_ttl agreed_round_robin
pause_before_next sample_of wanted_by longest_wait parted conditions_for frame_of answer_of
"""
PLAIN = re.compile(rf"(?<![a-z])(?:{WORDS})(?![a-z])", re.IGNORECASE | re.VERBOSE)
OLD = re.compile(rf"\b(?:INTERNAL(?=[\s`\"])|{'|'.join(IDENTIFIERS.split())})\b")
SKIPPED = re.compile(
    r"^(docs/adr/|CHANGELOG\.md|LICENSE|requirements/|tests/captures/|bench/results/|skywalking_provider/contract/(v1|skywalking)/"
    r"|bridge/contract/|tools/plain_words\.py|docs/glossary\.md)|\.(png|lock|sum|svg)$|expr-cases\.jsonl|oracle"
)


def find(path: Path) -> list[str]:
    """Return a line for each rejected word of a file: its place and the word."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []
    return [
        f"{path}:{number}: {match[0]!r} has a standard term; see docs/glossary.md"
        for number, line in enumerate(lines, 1)
        for pattern in (PLAIN, OLD)
        for match in pattern.finditer(line)
    ]


def main() -> int:
    """Print the rejected words; 1 if there are any."""
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines()
    names = sys.argv[1:] or [name for name in tracked if not SKIPPED.search(name) and Path(name).is_file()]
    problems = [problem for name in names for problem in find(Path(name))]
    print("\n".join(problems[:200]) or f"{len(names)} files, no rejected word")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
