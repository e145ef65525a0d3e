"""Notes about what behaves differently after a migration: the texts that `skywalking-provider migrate` prints."""

from dataclasses import dataclass
from enum import StrEnum


class Topic(StrEnum):
    """Subjects of notes, as they are printed before them."""

    WINDOW = "window"
    ZONE = "zone"
    INTERVAL = "interval"
    ABSENT = "absent"
    NO_DATA = "no data"
    OUTAGE = "outage"
    ADDRESS = "address"
    SECRET = "secret"  # noqa: S105 - a subject, not a password
    QUERY = "query"
    INDEX = "index"
    RESULT = "result"
    SINCE = "since"
    NAMES = "names"
    ENTITY = "entity"
    OAP = "OAP"


@dataclass(frozen=True, slots=True)
class Note:
    """A note about one metric.

    Attributes:
        topic: The subject.
        text: One line.
        action_required: Whether the author must change something.
        query_only: Whether the note does not apply once the query is an expression.
    """

    topic: Topic
    text: str
    action_required: bool = False
    query_only: bool = False


# A query of this provider, compared with the built-in provider.
# Sources: argo-rollouts metricproviders/skywalking/skywalking.go; docs/block.md.
WINDOW = Note(
    Topic.WINDOW,
    "Reads whole minutes that ended at least 60s ago (`settle`). The built-in provider also reads the current,"
    " incomplete minute, whose value is too low or 0.",
)
ZONE = Note(
    Topic.ZONE,
    "Uses the clock and time zone of the OAP server. The built-in provider uses those of the controller, and reads"
    " other minutes if they differ.",
)
ABSENT = Note(
    Topic.ABSENT,
    "Leaves minutes without data out of result (`absent: zero` keeps them). The built-in provider reads them as 0.",
)
ABSENT_IN_EXPRESSION = Note(
    Topic.ABSENT, "Leaves minutes without data out of result. The built-in provider reads them as 0."
)
COUNTS = Note(Topic.ABSENT, "Reads minutes without calls as 0 in counts (*_cpm), as the built-in provider does.")
NO_DATA = Note(
    Topic.NO_DATA,
    "Without data, no condition is evaluated (NO_DATA). The measurement waits for maxWait (7m), then is"
    " Inconclusive, which pauses the rollout. With the built-in provider, all([]) is true.",
)
OUTAGE = Note(
    Topic.OUTAGE,
    "Waits for an unavailable OAP server for up to outageGrace (5m), then is Inconclusive, which pauses the rollout."
    " With the built-in provider it is an Error, and the fifth in a row aborts the analysis.",
)
SINCE = Note(
    Topic.SINCE,
    "Leaves out minutes before the start of the run, so a new run waits for its first minutes. `since: window`"
    " includes them, as the built-in provider does.",
)
NAMES = Note(
    Topic.NAMES,
    "If a label of the pods names the service (canary|reviews|...), an OAP that is fed by Envoy's access logs counts a"
    " new pod as UNKNOWN for three minutes and keeps a relabeled pod's old name for up to five. Instances selected by"
    " podTemplateHash (sli, expression) do not depend on labels.",
)
ADDRESS = Note(
    Topic.ADDRESS,
    "Only selects the backend that is configured with this url or alias. The provider connects to configured URLs"
    " only.",
)
NO_ADDRESS = Note(
    Topic.ADDRESS, "Reads from the only configured backend, because the block has neither address nor backend."
)
ARGO_COMPATIBILITY = (
    "To keep the built-in provider's window, time zone and zeros, including their flaws, add `compatibility: argo` to"
    " the block of a query."
)

# An expression, compared with a query.
OAP_VERSION = Note(Topic.OAP, "Expressions need OAP 9.5 or newer.")
ENTITY = Note(
    Topic.ENTITY, "Waits for a name that OAP does not know, then is an Error with similar names. It is never 0."
)


def rounded_interval(original: str, new: str) -> Note:
    """Return the note for an interval that is not a whole number of minutes."""
    return Note(Topic.INTERVAL, f"{original} is rounded up to {new}, because SkyWalking's buckets are whole minutes.")


def templated_interval(interval: str) -> Note:
    """Return the note for an interval that contains an argument."""
    return Note(
        Topic.INTERVAL,
        f"{interval} must be a whole number of minutes (3m, not 90s). Other values are an Error.",
        action_required=True,
    )


def moving_index(condition: str, index: str) -> Note:
    """Return the note for a condition that selects a bucket by its position."""
    return Note(
        Topic.INDEX,
        f"{condition} reads {index}. The minute at that position changes when minutes are left out.",
        action_required=True,
        query_only=True,
    )


def secret_in_block(names: str, part: str) -> Note:
    """Return the note for a secret argument in a block or a condition."""
    return Note(
        Topic.SECRET,
        f"{part} uses the secret argument {names}, which is an Error (SECRET_IN_BLOCK). Move the credentials to the"
        " configuration of the backend.",
        action_required=True,
    )


def unchecked_query(reason: str) -> Note:
    """Return the note for a query that cannot be parsed before Argo has replaced the arguments."""
    return Note(
        Topic.QUERY, f"Is not checked here, because it has {{{{args}}}} outside of strings ({reason}).", query_only=True
    )


def missing_normal(alias: str) -> Note:
    """Return the note for an entity that OAP never finds."""
    return Note(
        Topic.QUERY,
        f"{alias}: the entity has no `normal: true`, so OAP finds no data (NO_DATA, not zeros). Add normal: true"
        " (false for uninstrumented targets such as databases).",
        action_required=True,
        query_only=True,
    )


def old_labels(alias: str) -> Note:
    """Return the note for labels that OAP 10 does not know."""
    return Note(
        Topic.QUERY,
        f"{alias}: OAP 10 and newer return percentiles for `labels: []` only.",
        action_required=True,
        query_only=True,
    )


def result_description(description: str) -> Note:
    """Return the note about the type of `result` in an expression."""
    return Note(Topic.RESULT, f"Is {description}.")


def not_rewritten(reason: str) -> Note:
    """Return the note for a query that is not rewritten to an expression."""
    return Note(Topic.QUERY, f"Is not rewritten to an expression: {reason}.")


def truncated_value(metric: str) -> Note:
    """Return the note for the average of a metric, which has no decimals in a query."""
    return Note(
        Topic.RESULT, f"Is avg({metric}) with decimals. asInt(result) truncates them, as readMetricsValue does."
    )
