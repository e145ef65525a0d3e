"""Runs of Argo and the calls that measure their metrics."""


class Run:
    """An AnalysisRun.

    Attributes:
        number: Its number.
        service: Service that it measures.
        due: Time at which each metric is due, or is resumed.
        first_due: Time at which the measurement of each metric was first due.
        started: Start of each unfinished measurement; None between measurements.
        pending: Calls in progress of the current reconciliation.
        queued: Whether it waits for a worker or has one.
        paused: Whether the rollout was paused, after which nothing is measured.
    """

    __slots__ = ("due", "first_due", "number", "paused", "pending", "queued", "service", "started")

    def __init__(self, number: int, service: int, metrics: int, due: float) -> None:
        self.number = number
        self.service = service
        self.due = [due] * metrics
        self.first_due = [due] * metrics
        self.started: list[float | None] = [None] * metrics
        self.pending = 0
        self.queued = False
        self.paused = False


class Call:
    """One Run or Resume of a measurement.

    Attributes:
        run: Its run.
        metric: Position of the metric.
        started_at: Start of the measurement.
        sent_at: Start of the call.
        deadline: Deadline of the call.
        attempt: Number of the attempt.
        sequence: Number of the send; responses to an earlier one are ignored.
        ended: Whether the call ended.
    """

    __slots__ = ("attempt", "deadline", "ended", "metric", "run", "sent_at", "sequence", "started_at")

    def __init__(self, run: Run, metric: int, started_at: float, sent_at: float, deadline: float) -> None:
        self.run = run
        self.metric = metric
        self.started_at = started_at
        self.sent_at = sent_at
        self.deadline = deadline
        self.attempt = 1
        self.sequence = 0
        self.ended = False
