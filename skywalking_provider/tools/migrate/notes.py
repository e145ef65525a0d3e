"""What changes in meaning, one line each. The words of `skywalking-provider migrate`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know about a metric.

    Attributes:
        topic: A word.
        text: One line.
        action_required: Whether the author has something to do.
    """

    topic: str
    text: str
    action_required: bool = False


# Form A against the built-in provider. Sources: argo-rollouts metricproviders/skywalking/skywalking.go; docs/block.md.
WINDOW = Note(
    "window",
    "whole closed minutes, which ended 60s ago or earlier (`settle`); the built-in's window ends with the unfinished"
    " minute, which reads too low or 0",
)
ZONE = Note(
    "zone", "on OAP's own clock and zone; the built-in uses the controller's, and reads other minutes if they differ"
)
ABSENT = Note(
    "absent", "a minute without data is left out of result (`absent: zero` keeps it); the built-in reads it as 0"
)
ABSENT_HERE = Note("absent", "a minute without data is left out of result; the built-in reads it as 0")
COUNTS = Note("absent", "counts (*_cpm) read a minute without calls as 0, as the built-in does")
NO_DATA = Note(
    "no data",
    "NO_DATA before any condition is asked: waits maxWait (5m; 2m in a background analysis), then Inconclusive, which"
    " pauses; to the built-in all([]) is true",
)
OUTAGE = Note(
    "outage",
    "an OAP that is away is waited for up to outageGrace (5m), then Inconclusive, which pauses; to the built-in it is"
    " an Error, and the fifth in a row aborts",
)
ADDRESS = Note("address", "only selects the backend that is configured with this url or alias; it is never dialled")
NO_ADDRESS = Note("address", "without address or backend the only configured backend is asked")
ARGO = (
    "To keep the built-in's window, zone and zeros, flaws included, write `compatibility: argo` into a query's block."
)

# Form B against form A.
OLD_OAP = Note("OAP", "an expression needs OAP 9.5 or newer")
SINCE = Note(
    "since",
    "minutes before the run's start are not read, so a run waits for its first ones; `since: window` reads them",
)
ENTITY = Note("entity", "a name that OAP does not know is waited for, then an Error with the nearest names; never 0")


def rounded_interval(original: str, new: str) -> Note:
    """The interval is no whole minute."""
    return Note("interval", f"{original} is rounded up to {new}: SkyWalking's minutes are read whole")


def templated_interval(interval: str) -> Note:
    """The interval is an argument."""
    return Note(
        "interval", f"{interval} must be whole minutes (3m, not 90s); another value is an Error", action_required=True
    )


def moving_index(condition: str, index: str) -> Note:
    """A condition picks one bucket by its place."""
    return Note(
        "index", f"{condition} reads {index}: which minute that is moves when one is left out", action_required=True
    )


def secret_in_block(names: str, where: str) -> Note:
    """A secret argument reaches the block."""
    return Note(
        "secret",
        f"{where} uses the secret argument {names}, answered by an Error (SECRET_IN_BLOCK): credentials belong in the"
        " backend's configuration",
        action_required=True,
    )


def unchecked_query(reason: str) -> Note:
    """The query cannot be read before Argo has put arguments into it."""
    return Note("query", f"is not checked here: {{{{args}}}} outside of text ({reason})")


def missing_normal(alias: str) -> Note:
    """An entity that OAP never finds."""
    return Note(
        "query",
        f"{alias}: the entity has no `normal: true`, so OAP finds nothing: NO_DATA, no zeros",
        action_required=True,
    )


def old_labels(alias: str) -> Note:
    """Labels that OAP 10 does not know."""
    return Note("query", f"{alias}: from OAP 10 on only `labels: []` finds percentiles", action_required=True)


def result_description(description: str) -> Note:
    """What `result` is in form B."""
    return Note("result", f"is {description}")


def not_rewritten(reason: str) -> Note:
    """A query stays a query."""
    return Note("query", f"is not rewritten to an expression: {reason}")


def truncated_value(metric: str) -> Note:
    """A single value of V2 has no decimals."""
    return Note("result", f"is avg({metric}) with its decimals; asInt(result) cuts them off as readMetricsValue does")
