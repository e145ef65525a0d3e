"""How the OAP versions differ on the wire: one record a version, taken from recorded answers of real servers."""

from dataclasses import dataclass, replace
from typing import Final

SDL_BEFORE_9_4: Final = ("common", "before-9.4")
SDL_SINCE_9_5: Final = ("common", "since-9.5", "mqe")


@dataclass(frozen=True, slots=True)
class OapVersion:
    """What one OAP version does differently from another. Everything else is the same in all of them."""

    version: str
    build: str
    """What `query { version }` answers."""
    sdl: tuple[str, ...]
    """The files of `sdl/` that make its GraphQL schema, in order."""
    content_type: str
    """The content type of a GraphQL answer."""
    legacy_validation_messages: bool
    """graphql-java before 18: `Validation error of type X: ... @ 'path'`."""
    coercion_is_http_500: bool
    """A variable of a wrong value ends in HTTP 500 text instead of a GraphQL error."""
    missing_query: str
    """The body of HTTP 400 for a request without a query."""
    not_found_has_text: bool
    """Whether HTTP 404 carries a body and a content type."""
    ambiguous_operation_is_json: bool
    """Whether HTTP 500 for two operations without a name carries a JSON message."""
    legacy_syntax_messages: bool
    """How the parser words its limit of tokens."""
    max_complexity: int
    """Default `maxQueryComplexity`; every selected field counts one."""
    limits_introspection: bool
    """Whether a request may ask for the schema, and for what makes a cycle in it, once only (graphql-java 21.5)."""
    ids_name_the_metric: bool
    """Whether the id of a value starts with the metric's name."""
    checks_scope: bool
    """Whether `scope` of an entity must fit; later versions sense it from the metric."""
    blank_names_have_id: bool
    """Whether an empty name is encoded as `_blank`."""
    unknown_metric_has_id: bool
    """Whether values of an unknown metric carry UNKNOWN_METRIC_NAME."""
    rejects_single_bucket: bool
    """Whether a duration whose start is its end is "more than 500 minutes" (a flaw of old versions)."""
    time_is_parsed_as_number: bool
    """Whether a wrong time is reported as a number's ("For input string")."""
    causes_name_their_class: bool
    """Whether a failed read names the Java class of its cause (reads are asynchronous since 10.0)."""
    percentile_labels: tuple[str, ...]
    """The labels of a percentile metric, in the order of 50, 75, 90, 95, 99."""
    percentile_key: str
    """The label's key; `_` has no name in V2 answers."""
    mqe: "MqeVersion | None"
    """None: no metrics query expressions at all."""

    @property
    def labels_by_key(self) -> bool:
        """Whether labels have keys (`{p=50}`) instead of positions."""
        return self.percentile_key != "_"


@dataclass(frozen=True, slots=True)
class MqeVersion:
    """How a generation of the metrics query expression differs."""

    functions: tuple[str, ...]
    """The words that start an expression, in the order in which the parser lists what it expected."""
    free_labels: bool
    """Whether a label's name is free; the first generation knows `_` alone."""
    syntax_error_throws: bool
    """Whether a malformed expression ends the whole request as a GraphQL error."""
    unknown_metric_message: str
    """The words for an unknown metric."""
    computed_has_labels: bool
    """Whether the result of an operation on scalars has `labels: []` instead of `metric: null`."""
    illegal_entity_is_unknown: bool
    """Whether an entity that does not identify anything gives UNKNOWN instead of absent values."""


_FIRST: Final = ("avg", "count", "latest", "max", "min", "sum", "abs", "ceil", "floor", "round")

_MQE_9 = MqeVersion(
    functions=(*_FIRST, "top_n", "view_as_seq", "relabels", "aggregate_labels"),
    free_labels=False,
    syntax_error_throws=True,
    unknown_metric_message="Metric: [{}] dose not exist.",
    computed_has_labels=False,
    illegal_entity_is_unknown=False,
)

_MQE_10 = MqeVersion(
    functions=(
        *_FIRST,
        *("increase", "rate", "top_n", "view_as_seq", "is_present", "relabels", "aggregate_labels"),
        *("sort_values", "sort_label_values"),
    ),
    free_labels=True,
    syntax_error_throws=False,
    unknown_metric_message="Metric: [{}] does not exist.",
    computed_has_labels=True,
    illegal_entity_is_unknown=True,
)

_POSITIONS: Final = ("0", "1", "2", "3", "4")
PERCENTILES: Final = (50, 75, 90, 95, 99)

# The newest as it is, each older one by what it did differently.
_10_1: Final = OapVersion(
    version="10.1.0",
    build="10.1.0-d28dfea",
    sdl=SDL_SINCE_9_5,
    content_type="application/json",
    legacy_validation_messages=False,
    coercion_is_http_500=False,
    missing_query="query is missing",
    not_found_has_text=True,
    ambiguous_operation_is_json=True,
    legacy_syntax_messages=False,
    max_complexity=3000,
    limits_introspection=True,
    ids_name_the_metric=True,
    checks_scope=False,
    blank_names_have_id=True,
    unknown_metric_has_id=True,
    rejects_single_bucket=False,
    time_is_parsed_as_number=False,
    causes_name_their_class=True,
    percentile_labels=tuple(str(p) for p in PERCENTILES),
    percentile_key="p",
    mqe=_MQE_10,
)
_9_6: Final = replace(
    _10_1,
    version="9.6.0",
    build="9.6.0-fb61128",
    limits_introspection=False,
    not_found_has_text=False,
    ambiguous_operation_is_json=False,
    causes_name_their_class=False,
    percentile_labels=_POSITIONS,
    percentile_key="_",
    mqe=_MQE_9,
)
_9_2: Final = replace(
    _9_6,
    version="9.2.0",
    build="9.2.0-cb8845a",
    sdl=SDL_BEFORE_9_4,
    content_type="application/graphql+json",
    legacy_validation_messages=True,
    coercion_is_http_500=True,
    missing_query="Missing query",
    not_found_has_text=True,
    legacy_syntax_messages=True,
    max_complexity=1000,
    ids_name_the_metric=False,
    checks_scope=True,
    blank_names_have_id=False,
    unknown_metric_has_id=False,
    rejects_single_bucket=True,
    time_is_parsed_as_number=True,
    mqe=None,
)
OAP_VERSIONS: Final = {dialect.version: dialect for dialect in (_9_2, _9_6, _10_1)}


def select_version(version: str) -> OapVersion:
    """The dialect of a version; ValueError names the versions that were recorded."""
    try:
        return OAP_VERSIONS[version]
    except KeyError:
        known = ", ".join(OAP_VERSIONS)
        raise ValueError(f"OAP version {version!r} was not recorded: choose one of {known}") from None
