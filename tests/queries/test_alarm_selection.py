"""Selection of the alarms that count for a block, and of their rules."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.block import AlarmsSpec, parse_block
from skywalking_provider.mock_oap.entity_ids import EntityKey, MetricScope
from skywalking_provider.model import Entity, EntitySet, Scope
from skywalking_provider.oap.api.alarms import OapAlarm, entity_id
from skywalking_provider.queries.alarms.selection import AlarmSelection, find_rule, select_alarms, select_targets

SERVICE = "reviews.bookinfo"
CANARY, STABLE = Entity(SERVICE, instance="canary-0"), Entity(SERVICE, instance="stable-0")
BUY = Entity(SERVICE, endpoint="/buy")
WHOLE = Entity(SERVICE)
OTHER = Entity("ratings.bookinfo")


def spec(alarms: dict[str, Any], **keys: object) -> AlarmsSpec:
    block = {"window": "5m", "service": SERVICE, "alarms": alarms} | keys
    parsed = parse_block(json.dumps(block).encode())
    assert isinstance(parsed, AlarmsSpec)
    return parsed


def alarm(entity: Entity, message: str = "m", scope: str = "", **tags: str) -> OapAlarm:
    return OapAlarm(1_000, scope or entity.scope.value, entity_id(entity), message, tuple(tags.items()))


def select(block: AlarmsSpec, members: tuple[Entity, ...], *alarms: OapAlarm) -> AlarmSelection:
    return select_alarms(block, select_targets(block, EntitySet(members)), alarms)


def selected(block: AlarmsSpec, members: tuple[Entity, ...]) -> set[str]:
    """Return the entities whose alarms count."""
    candidates = (WHOLE, CANARY, STABLE, BUY, OTHER, Entity("ratings.bookinfo", instance="canary-0"))
    names = {entity_id(one): one.name for one in candidates}
    return {names[one.alarm.entity_id] for one in select(block, members, *map(alarm, candidates)).alarms}


INSTANCES = {"instances": {"name": "canary-.*"}}


@pytest.mark.parametrize(
    ("scopes", "keys", "member", "expected"),
    [
        ([], {}, WHOLE, {SERVICE}),
        ([], INSTANCES, CANARY, {"canary-0"}),
        ([], {"endpoint": "/buy"}, BUY, {"/buy"}),
        (["instance"], {}, WHOLE, {"canary-0", "stable-0"}),
        (["service", "endpoint"], {}, WHOLE, {SERVICE, "/buy"}),
        (["service"], INSTANCES, CANARY, {SERVICE}),
        (["instance", "endpoint"], INSTANCES, CANARY, {"canary-0", "/buy"}),
    ],
)
def test_alarms_of_the_selected_kinds_of_entities_count(
    scopes: list[str], keys: dict[str, Any], member: Entity, expected: set[str]
) -> None:
    assert selected(spec({"scopes": scopes}, **keys), (member,)) == expected


def test_alarm_of_a_relation_does_not_count_although_it_has_the_id_of_the_caller() -> None:
    relation, unknown = alarm(WHOLE, scope="ServiceRelation"), alarm(WHOLE, scope="")

    assert select(spec({}), (WHOLE,), relation).alarms == ()
    assert select(spec({}), (WHOLE,), OapAlarm(1, "", unknown.entity_id, "m")).alarms == ()


def test_service_of_another_kind_with_the_same_name_is_another_entity() -> None:
    assert select(spec({}), (WHOLE,), alarm(Entity(SERVICE, normal=False))).alarms == ()


def test_all_tags_must_have_the_wanted_values() -> None:
    block = spec({"tags": {"level": "CRITICAL", "team": "a"}})
    both = alarm(WHOLE, "both", level="CRITICAL", team="a", more="b")
    some = (alarm(WHOLE, "one", level="CRITICAL"), alarm(WHOLE, "other", level="WARNING", team="a"))

    assert [one.alarm for one in select(block, (WHOLE,), both, *some).alarms] == [both]


def test_alarm_that_two_pages_have_counts_once() -> None:
    assert len(select(spec({}), (WHOLE,), alarm(WHOLE), alarm(WHOLE)).alarms) == 1


@pytest.mark.parametrize(
    ("one", "rule"),
    [
        (alarm(WHOLE, "slow", rule="a_rule"), "a_rule"),
        (alarm(WHOLE, "Alarm caused by Rule a_rule"), "a_rule"),
        (alarm(WHOLE, "a_rule: slow"), "a_rule"),
        (alarm(WHOLE, "slow", cause="see a_rule"), "a_rule"),
        (alarm(WHOLE, "slow a_rule", rule="b_rule"), "b_rule"),
        (alarm(WHOLE, "Alarm caused by Rule b_rule"), "b_rule"),
        (alarm(WHOLE, "beta_rule is slow"), ""),
        (alarm(WHOLE, "a_rules"), ""),
        (alarm(WHOLE, "slow"), ""),
    ],
)
def test_rule_is_found_in_the_tag_the_default_message_or_by_its_name(one: OapAlarm, rule: str) -> None:
    assert find_rule(one, ["a_rule"]) == rule


def test_alarm_of_an_unknown_rule_is_reported_apart_if_the_block_names_rules() -> None:
    known, other, unknown = alarm(WHOLE, "a_rule"), alarm(WHOLE, "slow", rule="b_rule"), alarm(WHOLE, "slow")
    chosen = select(spec({"rules": ["a_rule"]}), (WHOLE,), known, other, unknown)

    assert [one.alarm for one in chosen.alarms] == [known]
    assert chosen.unknown_rule == (unknown,)
    assert select(spec({}), (WHOLE,), unknown).unknown_rule == ()


def test_message_is_redacted_before_it_is_cut() -> None:
    long = alarm(WHOLE, f"{'x' * 190} token-of-the-backend")
    chosen = select_alarms(
        spec({}),
        select_targets(spec({}), EntitySet((WHOLE,))),
        [long],
        lambda text: text.replace("token-of-the", "***"),
    )

    (one,) = chosen.alarms
    assert one.alarm.message == f"{'x' * 190} ***-backe"


names = st.text(min_size=1, max_size=20)


@given(names, names, st.booleans())
def test_ids_are_those_of_the_mock_oap(service: str, child: str, normal: bool) -> None:
    for scope, entity in (
        (MetricScope.SERVICE, Entity(service, normal)),
        (MetricScope.INSTANCE, Entity(service, normal, instance=child)),
        (MetricScope.ENDPOINT, Entity(service, normal, endpoint=child)),
    ):
        own = "" if scope is MetricScope.SERVICE else child
        assert entity_id(entity) == EntityKey(scope, service, normal, own).id


@given(st.lists(st.tuples(names, st.dictionaries(names, names, max_size=3)), max_size=5))
def test_any_texts_of_alarms_are_selected_without_an_error(texts: list[tuple[str, dict[str, str]]]) -> None:
    some = [OapAlarm(1, Scope.SERVICE.value, entity_id(WHOLE), message, tuple(tags.items())) for message, tags in texts]
    chosen = select(spec({"rules": ["a_rule"]}), (WHOLE,), *some)

    assert len(chosen.alarms) + len(chosen.unknown_rule) <= len(some)
