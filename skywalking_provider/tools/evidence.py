"""Evidence in a terminal: icons and colours of findings, and bars on a logarithmic scale."""

from collections.abc import Mapping
from math import log
from typing import Final

from skywalking_provider.judgement import Finding
from skywalking_provider.tools.phases import PhaseStyle

FINDING_STYLES: Final[Mapping[Finding, PhaseStyle]] = {
    Finding.WORSE: PhaseStyle("✖", "red"),
    Finding.FINE: PhaseStyle("✔", "green"),
    Finding.OPEN: PhaseStyle("◌", "cyan"),
}
"""Those of the phases that the findings lead to."""
_PARTS: Final = " ▏▎▍▌▋▊▉█"


def draw_bar(evidence: float, needed: float, width: int) -> str:
    """Return a bar of evidence on a logarithmic scale: empty at 1 and below, full where it is enough.

    Args:
        evidence: Evidence.
        needed: Evidence that is enough; more than 1.
        width: Characters of a full bar.
    """
    parts = int(measure_evidence(evidence, needed) * width * 8)
    return (_PARTS[-1] * (parts // 8) + _PARTS[parts % 8]).strip()


def measure_evidence(evidence: float, needed: float) -> float:
    """Return evidence on a logarithmic scale from 0, at 1 and below, to 1, where it is enough.

    Args:
        evidence: Evidence.
        needed: Evidence that is enough; more than 1.
    """
    if evidence >= needed:
        return 1.0
    return log(evidence) / log(needed) if evidence > 1 else 0.0
