"""Measurement events and their listeners: metrics, log, traces, history page and `check`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from skywalking_provider.analysis.judging import Judgement
from skywalking_provider.errors import Reason
from skywalking_provider.model import EntitySet, Measurement, Metric, Run, Window
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.sample import Sample


@dataclass(slots=True)
class MeasurementDetails:
    """Facts of one attempt. The engine fills them in on its path, so a failed attempt has those before the failure.

    Attributes:
        backend: Name of the backend; empty if the block selects none.
        success: Success condition that applies; empty if there is none.
        failure: Failure condition that applies; empty if there is none.
        window: Window of the measurement.
        requests: Requests for the sample.
        sample: Collected sample.
        subject: Measured entities; empty if the block names them itself.
        entities: Measured entities, those of the canary in a judged block; None if they are not known.
        cel: Whether the conditions are CEL expressions.
        evaluated: Whether the conditions were evaluated, or the judgement was made.
        judgement: Judgement of a judged block; None for others.
        cause: Cause of a Failed verdict; None if it is not known.
        clock_offset: Clock of the OAP minus the local clock; zero until it is known.
    """

    backend: str = ""
    success: str = ""
    failure: str = ""
    window: Window | None = None
    requests: tuple[GraphqlRequest, ...] = ()
    sample: Sample | None = None
    subject: str = ""
    entities: EntitySet | None = None
    cel: bool = False
    evaluated: bool = False
    judgement: Judgement | None = None
    cause: Cause | None = None
    clock_offset: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class MeasurementEvent:
    """One attempt to complete a measurement: a `Run` or a `Resume`.

    Attributes:
        metric: Metric of the measurement.
        run: Run of the measurement.
        measurement: Measurement that Argo receives.
        reason: Reason code; None for a plain success.
        details: Facts of the attempt.
        seconds: Duration of the attempt.
        detail: Message of the measurement without the reason code.
        facts: Function that returns the facts of the block, for attempts that read nothing. It parses the block.
        named_entities: Function that returns the services or the endpoint that the block names, for attempts whose
            entities are not known; None if it names none. It parses the block.
    """

    metric: Metric
    run: Run
    measurement: Measurement
    reason: Reason | None
    details: MeasurementDetails
    seconds: float
    detail: str = ""
    facts: Callable[[], Mapping[str, str]] = dict
    named_entities: Callable[[], EntitySet | None] = lambda: None


MeasurementListener = Callable[[MeasurementEvent], None]
"""Function that receives each event before the response is sent. It must not block."""
