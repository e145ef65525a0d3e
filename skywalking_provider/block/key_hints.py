"""Hints for unknown keys of a block that other tools, the metric around it or another query type know."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from skywalking_provider.block.alarms import Alarms, AlarmsSpec
from skywalking_provider.block.common import BlockConditions
from skywalking_provider.block.compare import Compare
from skywalking_provider.block.entity import EntitySpec, Instances, ServiceParts
from skywalking_provider.block.expression import ExpressionSpec
from skywalking_provider.block.graphql import GraphqlSpec
from skywalking_provider.block.indicator import IndicatorSpec
from skywalking_provider.block.judged import JudgedSpec
from skywalking_provider.support.key_levels import match_key, yaml_keys

BACKEND_KEYS: Final = frozenset(
    """
    url aliases allowedNamespaces ui timezone timeout clockTtl cache maxAnswerBytes maxRequests retries circuit tls
    headers basic bearer traceLink logLink events
    """.split()  # noqa: SIM905 - a list of one line for each
)
"""Keys of a backend's configuration that are not keys of a block. A test compares them."""

_METRIC_KEYS: Final = frozenset(
    """
    successCondition failureCondition count failureLimit inconclusiveLimit consecutiveErrorLimit
    consecutiveSuccessLimit initialDelay
    """.split()  # noqa: SIM905
)
_CREDENTIALS: Final = "Credentials belong to backends.<name> of the provider's configuration: basic, bearer or headers."
_MINUTES_ONLY: Final = "Remove it: the provider reads whole minutes."
_POD: Final = "Write podTemplateHash, or name with a regular expression for the whole name of the instance."

_BLOCK_WORDS: Final[Mapping[str, str]] = {
    "authorization": _CREDENTIALS,
    "authentication": _CREDENTIALS,
    "username": _CREDENTIALS,
    "password": _CREDENTIALS,
    "token": _CREDENTIALS,
    "secretref": _CREDENTIALS,
    "insecure": "TLS belongs to backends.<name>.tls of the provider's configuration.",
    "timeoutseconds": "It is timeout in backends.<name> of the provider's configuration.",
    "servicename": "Write service.",
    "endpointname": "Write endpoint.",
    "serviceinstancename": "Write instances: {name: …}.",
    "instance": "Write instances: {name: …} or instances: {podTemplateHash: …}.",
    "hash": "Write instances: {podTemplateHash: …}.",
    "podtemplatehash": "Write instances: {podTemplateHash: …}.",
    "normal": "Remove it: the provider reads it from the OAP.",
    "scope": "Remove it: service, endpoint and instances select the scope.",
    "entity": "Write service, endpoint or instances.",
    "metric": "Write sli for a usual metric, or expression for any.",
    "metrics": "Write sli for a usual metric, or expression for any.",
    "step": _MINUTES_ONLY,
    "coldstage": "Remove it: the provider reads recent minutes, which are not in the cold stage.",
    "rangequery": "Remove it: every query reads a window.",
    "thresholdrange": "Write successCondition or failureCondition beside `provider`.",
    "threshold": "Write successCondition or failureCondition beside `provider`.",
}
_LENGTH_WORDS: Final = frozenset({"window", "interval", "duration", "range", "start", "end", "period"})
_INSTANCE_WORDS: Final[Mapping[str, str]] = {
    "hash": "Write podTemplateHash.",
    "rolloutspodtemplatehash": "Write podTemplateHash.",
    "canaryhash": "Write podTemplateHash.",
    "templatehash": "Write podTemplateHash.",
    "pod": _POD,
    "pods": _POD,
    "podname": _POD,
    "regex": "Write name: it is a regular expression for the whole name of the instance.",
    "pattern": "Write name: it is a regular expression for the whole name of the instance.",
    "labels": _POD,
    "selector": _POD,
}
_CONDITION_WORDS: Final[Mapping[str, str]] = {
    "successcondition": "Write success.",
    "failurecondition": "Write failure.",
    "cel": "Write language: cel with success and failure.",
    "expression": "Write language: cel with success and failure.",
}
_READS_ALL_MINUTES: Final = "Remove it: a judged block reads all minutes since the run's start."
_READING_WORDS: Final[Mapping[str, str]] = {
    "window": _READS_ALL_MINUTES,
    "interval": f"{_READS_ALL_MINUTES} The time between measurements is the metric's own interval, beside `provider`.",
    "mincalls": "Remove it: a judged block waits while there are too few calls.",
}
_STANDARD_WORDS: Final[Mapping[str, str]] = {
    "baseline": "Write compare.",
    "stable": "Write compare.",
    "control": "Write compare.",
    "target": "Write objective.",
    "slo": "Write objective.",
}
"""Words of other tools for what a canary is judged against."""
_JUDGED_WORDS: Final[Mapping[str, str]] = {
    **_READING_WORDS,
    **_STANDARD_WORDS,
    "aggregate": "Remove it: a judged block judges the percentile of each minute.",
    "compatibility": "Remove it: the built-in provider has no judged blocks.",
    "threshold": "Write objective.",
    "alpha": "Write confidence.",
    "significance": "Write confidence.",
    "tolerated": "It belongs to compare.",
    "tolerance": "Write compare.tolerated.",
}
_JUDGED_ONLY: Final = frozenset({"compare", "objective", "harmful", "confidence", "warmup", "tolerated"})
_COMPARE_WORDS: Final[Mapping[str, str]] = {
    **_READING_WORDS,
    "tolerance": "Write tolerated.",
    "harm": "Write harmful.",
    "ratio": "Write tolerated: {ratio: …}.",
    "difference": "Write tolerated: {difference: …}.",
    "hash": "Write instances: {podTemplateHash: …}.",
    "podtemplatehash": "Write instances: {podTemplateHash: …}.",
    "objective": "It belongs beside sli, instead of compare.",
    "confidence": "It belongs beside sli.",
    "percentile": "It belongs beside sli.",
}
_BELOW_ALARMS: Final = "It belongs below alarms."
_ALARM_BLOCK_WORDS: Final[Mapping[str, str]] = {
    "rules": _BELOW_ALARMS,
    "rule": "Write alarms: {rules: […]}.",
    "rulenames": "Write alarms: {rules: […]}.",
    "tags": _BELOW_ALARMS,
    "scope": "Write alarms: {scopes: […]} for alarms of another kind of entity than that which the block selects.",
    "scopes": _BELOW_ALARMS,
    "silenceperiod": _BELOW_ALARMS,
}
_ALARM_WORDS: Final[Mapping[str, str]] = {
    "rule": "Write rules: […].",
    "rulenames": "Write rules: […].",
    "names": "Write rules: […].",
    "scope": "Write scopes: […].",
    "level": "Write tags: {level: …}.",
    "labels": "Write tags.",
    "severity": "Write tags: {level: …}.",
    "keyword": "Remove it. Select alarms by rules or tags.",
    "message": "Remove it. Select alarms by rules or tags.",
    "service": "It belongs beside alarms.",
    "instances": "It belongs beside alarms.",
    "endpoint": "It belongs beside alarms.",
    "window": "It belongs beside alarms.",
}
_SERVICE_WORDS: Final[Mapping[str, str]] = {"version": "Write subset.", "ns": "Write namespace."}

_NESTED_WORDS: Final[Mapping[type[BaseModel], Mapping[str, str]]] = {
    Instances: _INSTANCE_WORDS,
    BlockConditions: _CONDITION_WORDS,
    ServiceParts: _SERVICE_WORDS,
    Alarms: _ALARM_WORDS,
    Compare: _COMPARE_WORDS,
}
"""Words of the levels below the block."""


def hint_for_key(level: type[BaseModel], key: str) -> str:
    """Return the hint for a key that a level of the block does not have; empty if the word is not known.

    Args:
        level: Class of the level, such as that of `instances`.
        key: The unknown key.
    """
    word = key.replace("-", "").replace("_", "").lower()
    for nested, words in _NESTED_WORDS.items():
        if issubclass(level, nested):
            return words.get(word, "")
    if issubclass(level, JudgedSpec):
        return _JUDGED_WORDS.get(word, "") or _BLOCK_WORDS.get(word, "") or _place_hint(level, key)
    if issubclass(level, AlarmsSpec) and word in _ALARM_BLOCK_WORDS:
        return _ALARM_BLOCK_WORDS[word]
    if issubclass(level, GraphqlSpec | ExpressionSpec | IndicatorSpec | AlarmsSpec):
        if word in _JUDGED_ONLY:
            return _judged_hint(level)
        if issubclass(level, IndicatorSpec) and word in _STANDARD_WORDS:
            return f"{_STANDARD_WORDS[word]} The block is then judged, without window and conditions."
        return _length_hint(level, word) or _BLOCK_WORDS.get(word, "") or _place_hint(level, key)
    return ""


def _length_hint(level: type[BaseModel], word: str) -> str:
    if word not in _LENGTH_WORDS:
        return ""
    if not issubclass(level, EntitySpec):
        return "Write interval: only sli, expression and alarms have a window."
    beside = " The time between measurements is the metric's own interval, beside `provider`."
    return f"Write window: only a query has an interval.{beside if word == 'interval' else ''}"


def _judged_hint(level: type[BaseModel]) -> str:
    """Return the hint for a key of judged blocks in another block."""
    if issubclass(level, IndicatorSpec):
        return "It belongs to a judged block. Write compare or objective instead of window and conditions."
    return "Only indicators by name can be judged. Write sli instead of query, expression or alarms."


def _place_hint(level: type[BaseModel], key: str) -> str:
    if match_key(yaml_keys(level), key):
        return ""  # a spelling of the level's own key
    if match_key(tuple(_METRIC_KEYS), key):
        return "It belongs to the metric, beside `provider`."
    if match_key(tuple(BACKEND_KEYS), key):
        return "It belongs to backends.<name> of the provider's configuration."
    types: dict[str, type[BaseModel]] = {
        "query": GraphqlSpec,
        "expression": ExpressionSpec,
        "sli": IndicatorSpec,
        "alarms": AlarmsSpec,
    }
    others = [name for name, other in types.items() if match_key(yaml_keys(other), key)]
    return f"It belongs to a block with {' or '.join(others)}." if others else ""
