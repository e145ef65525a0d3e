"""Tests that docs/reasons.md, `Reason` and the phase-reason pairs agree."""

import re
from pathlib import Path

from skywalking_provider.analysis.outcomes import NO_REASON, phase_reason_pairs
from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase

REASONS_DOC = Path(__file__).parents[2] / "docs" / "reasons.md"
ARGOS_MESSAGE = "*(Argo's own message)*"


def documented_phases() -> dict[str, set[str]]:
    """Return the phases of each code in the first table of docs/reasons.md, which has the provider's own codes."""
    table = REASONS_DOC.read_text(encoding="utf-8").split("The bridge adds")[0]
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if line.startswith("| ")]
    names = {phase.value for phase in Phase}
    return {
        Reason.CONDITION_ERROR if row[1] == ARGOS_MESSAGE else row[1].strip("`"): names
        & set(re.findall(r"\w+", row[2]))
        for row in rows[1:]
    }


def test_reasons_doc_lists_every_reason_code_with_its_phases() -> None:
    pairs = {pair for pair in phase_reason_pairs() if pair[1] != NO_REASON}

    assert documented_phases() == {
        reason.value: {phase for phase, other in pairs if other == reason} for reason in Reason
    }
