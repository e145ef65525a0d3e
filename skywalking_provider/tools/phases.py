"""Icons and colours of phases in a terminal, as `kubectl argo rollouts` shows them."""

from collections.abc import Mapping
from dataclasses import dataclass

from skywalking_provider.model import Phase


@dataclass(frozen=True, slots=True)
class PhaseStyle:
    """Icon and colour of one phase; rich and click share the colour names."""

    icon: str
    colour: str


PHASE_STYLES: Mapping[Phase, PhaseStyle] = {
    Phase.SUCCESSFUL: PhaseStyle("✔", "green"),
    Phase.FAILED: PhaseStyle("✖", "red"),
    Phase.ERROR: PhaseStyle("⚠", "magenta"),
    Phase.INCONCLUSIVE: PhaseStyle("?", "yellow"),
    Phase.RUNNING: PhaseStyle("◌", "cyan"),
    Phase.PENDING: PhaseStyle("◷", "cyan"),
}
"""In the order of a summary."""
