"""Figures of matplotlib as SVG elements that can stand beside each other in one page."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skywalking_provider.model import Phase

PHASE_COLOURS: Final = {
    Phase.SUCCESSFUL: "#2e9d5b",
    Phase.FAILED: "#c8423b",
    Phase.ERROR: "#8e44ad",
    Phase.INCONCLUSIVE: "#d19a1a",
}
NO_DATA: Final = "#c4c4c4"
CANARY, STABLE, LIMIT, HARMFUL = "#1f6fb5", "#777777", "#c8423b", "#e08a3c"
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
_REFERENCE: Final = re.compile(r'(\bid="|href="#|url\(#)')


@contextmanager
def drawing() -> Iterator[None]:
    """Use the style of the page for the figures that are made and rendered in this context."""
    with mpl.rc_context(_STYLE):
        yield


def render_svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element.

    Args:
        figure: The figure.
        name: Name that no other picture of the page has: it is a part of the ids.
    """
    output = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure.savefig(output, format="svg", metadata=metadata)
    text = output.getvalue()
    return _REFERENCE.sub(rf"\g<1>{name}-", text[text.index("<svg") :])


def add_legend(axes: Axes) -> None:
    """Add a legend in one row above the axes."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=5, fontsize=9)
