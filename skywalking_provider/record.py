"""What one answer about a measurement was made of, for those who watch: metrics, logs, the page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from skywalking_provider.errors import Reason
from skywalking_provider.forms.sample import Sample
from skywalking_provider.model import Measurement, Metric, Run, Window
from skywalking_provider.plan import Read


@dataclass(slots=True)
class Trail:
    """What is known so far of one answer; it stays where the answer failed.

    Attributes:
        backend: Name of the backend; empty where the block selects none.
        success: The condition that counts.
        failure: The failure condition that counts.
        window: What was to be read.
        reads: The requests for it.
        sample: What they brought.
        of: Whom it is of, where the block does not say it all.
    """

    backend: str = ""
    success: str = ""
    failure: str = ""
    window: Window | None = None
    reads: tuple[Read, ...] = ()
    sample: Sample | None = None
    of: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One answer to Argo: to a Run or a Resume.

    Attributes:
        metric: What was asked.
        run: For whom.
        measurement: The answer.
        reason: Why; None for a plain verdict.
        trail: What it was made of.
        seconds: How long it took.
        facts: Tells what the block alone tells, for where nothing could be read; it takes a moment.
    """

    metric: Metric
    run: Run
    measurement: Measurement
    reason: Reason | None
    trail: Trail
    seconds: float
    facts: Callable[[], Mapping[str, str]] = dict


Watch = Callable[[Record], None]
"""Told of every answer, after it was made; it must be quick."""
