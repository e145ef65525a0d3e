"""What one answer about a measurement was made of, for those who watch: metrics, logs, the page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from skywalking_provider.errors import Reason
from skywalking_provider.model import Measurement, Metric, Run, Window
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.queries.sample import Sample


@dataclass(slots=True)
class MeasurementDetails:
    """What is known so far of one answer; it stays where the answer failed.

    Attributes:
        backend: Name of the backend; empty where the block selects none.
        success: The condition that counts.
        failure: The failure condition that counts.
        window: What was to be read.
        requests: The requests for it.
        sample: What they brought.
        subject: Whom it is of, where the block does not say it all.
    """

    backend: str = ""
    success: str = ""
    failure: str = ""
    window: Window | None = None
    requests: tuple[GraphqlRequest, ...] = ()
    sample: Sample | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class MeasurementEvent:
    """One answer to Argo: to a Run or a Resume.

    Attributes:
        metric: What was asked.
        run: For whom.
        measurement: The answer.
        reason: Why; None for a plain verdict.
        details: What it was made of.
        seconds: How long it took.
        detail: Message of the measurement without the reason code.
        facts: Tells what the block alone tells, for where nothing could be read; it takes a moment.
    """

    metric: Metric
    run: Run
    measurement: Measurement
    reason: Reason | None
    details: MeasurementDetails
    seconds: float
    detail: str = ""
    facts: Callable[[], Mapping[str, str]] = dict


MeasurementListener = Callable[[MeasurementEvent], None]
"""Told of every answer, after it was made; it must be quick."""
