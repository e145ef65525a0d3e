"""Alarms that count for a block, and the rules that raised them. No I/O."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from skywalking_provider.block import AlarmsSpec
from skywalking_provider.model import Entity, EntitySet, Scope
from skywalking_provider.oap.api.alarms import OapAlarm, entity_id, service_id
from skywalking_provider.queries.alarms.report import SelectedAlarm

RULE_TAG: Final = "rule"
"""Tag of a rule that has its name."""
_MAX_TEXT: Final = 200  # characters of a message that are kept
_DEFAULT_MESSAGE: Final = re.compile(r"Alarm caused by Rule (\S+)")
"""Message of a rule that has none in the OAP's settings."""


@dataclass(frozen=True, slots=True)
class AlarmTargets:
    """Entities whose alarms count.

    Attributes:
        ids: Their ids, by scope.
        whole: Scopes of which all entities of the service count.
        service: Id of the service.
        entities: The entities one by one; empty if `whole` is not.
    """

    ids: frozenset[tuple[Scope, str]]
    whole: frozenset[Scope]
    service: str
    entities: tuple[Entity, ...]

    def include(self, alarm: OapAlarm) -> bool:
        """Return whether an alarm belongs to one of the entities."""
        try:
            scope = Scope(alarm.scope)
        except ValueError:
            return False  # a relation or a process
        if (scope, alarm.entity_id) in self.ids:
            return True
        return scope in self.whole and alarm.entity_id.startswith(f"{self.service}_")


@dataclass(frozen=True, slots=True)
class AlarmSelection:
    """Alarms that count for a block.

    Attributes:
        alarms: The alarms with their rules.
        unknown_rule: Alarms that count if one of the block's rules raised them, which the OAP does not report.
    """

    alarms: tuple[SelectedAlarm, ...]
    unknown_rule: tuple[OapAlarm, ...] = ()


def select_targets(spec: AlarmsSpec, entities: EntitySet) -> AlarmTargets:
    """Return the entities whose alarms count for a block.

    Args:
        spec: Block of the metric.
        entities: The entities that it measures.
    """
    first = entities.members[0]
    scopes = frozenset(spec.alarm_scopes)
    targets: list[Entity] = []
    if Scope.SERVICE in scopes:
        targets.append(Entity(first.service, first.normal))
    if entities.scope in scopes and entities.scope is not Scope.SERVICE:
        targets += entities.members
    whole = scopes - {Scope.SERVICE, entities.scope}
    return AlarmTargets(
        frozenset((one.scope, entity_id(one)) for one in targets),
        whole,
        service_id(first.service, normal=first.normal),
        () if whole else tuple(targets),
    )


def select_alarms(
    spec: AlarmsSpec, targets: AlarmTargets, alarms: Iterable[OapAlarm], redact: Callable[[str], str] = str
) -> AlarmSelection:
    """Select the alarms of a block's entities, tags and rules.

    Args:
        spec: Block of the metric.
        targets: Entities whose alarms count.
        alarms: Alarms of the OAP.
        redact: Removes secrets from a text. A message is redacted before it is cut, because a part of a secret is not
            recognized later.
    """
    wanted = spec.alarms.tags.items()
    selected, unknown = list[SelectedAlarm](), list[OapAlarm]()
    for alarm in dict.fromkeys(alarms):  # a new alarm moves the last ones of a page to the next one
        if not targets.include(alarm) or not wanted <= dict(alarm.tags).items():
            continue
        rule = find_rule(alarm, spec.alarms.rules)
        kept = replace(alarm, message=redact(alarm.message)[:_MAX_TEXT])
        if not spec.alarms.rules or rule in spec.alarms.rules:
            selected.append(SelectedAlarm(kept, redact(rule)))
        elif not rule:
            unknown.append(kept)
    return AlarmSelection(tuple(selected), tuple(unknown))


def find_rule(alarm: OapAlarm, rules: Collection[str]) -> str:
    """Return the name of the rule that raised an alarm; empty if it is not known.

    An OAP before 11 does not report it. It is then known from the tag `rule`, from the message that a rule without one
    has, or because one of the rules is named in the message or a tag.

    Args:
        alarm: The alarm.
        rules: Names to search for in the message and the tags.
    """
    tags = dict(alarm.tags)
    if alarm.rule or tags.get(RULE_TAG):
        return alarm.rule or tags[RULE_TAG]
    if default := _DEFAULT_MESSAGE.fullmatch(alarm.message):
        return default[1]
    texts = (alarm.message, *tags.values())
    return next((rule for rule in rules if _is_named(rule, texts)), "")


def _is_named(rule: str, texts: Sequence[str]) -> bool:
    pattern = re.compile(rf"(?<![\w-]){re.escape(rule)}(?![\w-])")
    return any(pattern.search(text) for text in texts)
