"""Selection of a block's entity from the OAP's lists, without a request; and which lists are requested."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.block import EntitySpec, Instances, parse_block
from skywalking_provider.errors import EntityNotFoundError, ProviderError, Reason
from skywalking_provider.model import Deadline, Entity, EntitySet, Window
from skywalking_provider.oap.api.inventory import MAX_ENDPOINTS, InventoryInstance, InventoryService, ServiceInventory
from skywalking_provider.queries.entities import (
    describe_selection,
    describe_subject,
    find_endpoint,
    find_service,
    resolve_entities,
    resolve_service_name,
    select_instances,
    services_by_name,
)
from skywalking_provider.support.suggestions import did_you_mean

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WINDOW = Window(NOON, NOON + timedelta(minutes=3))
DEADLINE = Deadline.after(5)
MESH = InventoryService("1", "reviews", ("MESH", "K8S_SERVICE"), normal=True)
DATABASE = InventoryService("2", "reviews", ("VIRTUAL_DATABASE",), normal=False)
KNOWN = ServiceInventory.build([DATABASE, MESH, InventoryService("3", "ratings", ("MESH",), normal=True)])
PATTERN = "{subset}|{name}.{namespace}"
IN_PARTS = {"name": "reviews", "namespace": "bookinfo", "subset": "canary"}


def spec_of(**keys: object) -> EntitySpec:
    spec = parse_block(json.dumps({"sli": "apdex", "window": "5m", "service": "reviews"} | keys).encode())
    assert isinstance(spec, EntitySpec)
    return spec


@pytest.mark.parametrize(
    ("layer", "service"),
    [(None, MESH), ("MESH", MESH), ("K8S_SERVICE", MESH), ("VIRTUAL_DATABASE", DATABASE)],
)
def test_service_of_a_name_is_the_one_in_the_layer_and_an_instrumented_one_without(
    layer: str | None, service: InventoryService
) -> None:
    assert find_service("reviews", layer, KNOWN) is service


def test_first_service_of_a_name_is_found_if_none_is_instrumented() -> None:
    other = InventoryService("9", "reviews", ("VIRTUAL_CACHE",), normal=False)

    assert find_service("reviews", None, ServiceInventory.build([DATABASE, other])) is DATABASE


@pytest.mark.parametrize(
    ("name", "layer", "message"),
    [
        (
            "reviews",
            "GENERAL",
            "service: OAP knows 'reviews' in K8S_SERVICE, MESH, VIRTUAL_DATABASE, not in layer GENERAL",
        ),
        ("review", None, "service: OAP does not know 'review'. Did you mean reviews?"),
        ("x", "MESH", "service: OAP does not know 'x'. Known services: ratings, reviews."),
    ],
)
def test_service_that_is_not_listed_is_an_error_with_what_is_known(name: str, layer: str | None, message: str) -> None:
    with pytest.raises(EntityNotFoundError) as caught:
        find_service(name, layer, KNOWN)

    assert str(caught.value) == message


def pods(*names: str, **attributes: str) -> list[InventoryInstance]:
    return [InventoryInstance(name, attributes) for name in names]


@given(st.lists(st.sampled_from([f"reviews-v{number}" for number in range(6)])), st.integers(0, 5))
def test_instances_by_regular_expression_are_those_whose_whole_name_matches(names: list[str], number: int) -> None:
    selector = Instances(name=f"reviews-v[0-{number}]")
    expected = sorted({name for name in names if int(name[-1]) <= number})

    if expected:
        assert select_instances(selector, "reviews", pods(*names)) == expected
    else:
        with pytest.raises(EntityNotFoundError):
            select_instances(selector, "reviews", pods(*names))
    with pytest.raises(EntityNotFoundError):
        select_instances(Instances(name="reviews"), "reviews", pods(*names))


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (
            [],
            "It has no instances in this window",
        ),
        (
            pods("b", "a"),
            "The 2 instances include a, b",
        ),
        (
            pods(*"gfedcba"),
            "The 7 instances include a, b, c, d, e",
        ),
    ],
)
def test_instances_without_a_match_are_an_error_with_up_to_five_that_exist(
    known: list[InventoryInstance], message: str
) -> None:
    with pytest.raises(EntityNotFoundError) as caught:
        select_instances(Instances(name="x"), "reviews", known)

    assert caught.value.message == "instances: no instance of 'reviews' has a whole name that matches 'x'"
    assert caught.value.hint == message[:1].lower() + message[1:]


@pytest.mark.parametrize(
    ("regex", "hint"),
    [
        ("6c85f7bf4", "Write podTemplateHash for the pods of a ReplicaSet, or name: '.*6c85f7bf4.*'"),
        ("reviews-6c85f7bf4", "Write name: '.*reviews-6c85f7bf4.*'"),
        ("-6c85f7bf4-.{3}", "Write name: '.*-6c85f7bf4-.{3}.*'"),
        ("7bf4|b65", "Write name: '.*(7bf4|b65).*'"),
    ],
)
def test_regular_expression_of_a_part_of_a_name_gets_the_whole_one_as_hint(regex: str, hint: str) -> None:
    known = pods("reviews-6c85f7bf4-9zr8t", "reviews-7d4f9c8b65-2xkqz")
    with pytest.raises(EntityNotFoundError) as caught:
        select_instances(Instances(name=regex), "reviews", known)

    assert caught.value.hint.endswith(f". The expression is compared with the whole name. {hint}")


def test_endpoint_is_found_by_its_whole_name() -> None:
    assert find_endpoint("/a", "reviews", ["/a/b", "/a"], []) == "/a"
    with pytest.raises(EntityNotFoundError) as caught:
        find_endpoint("/api", "reviews", ["/apj"], ["/apj", "/x"])
    assert str(caught.value) == "endpoint: OAP does not know '/api' of 'reviews'. Did you mean /apj?"
    with pytest.raises(EntityNotFoundError, match=r"Known endpoints: /x\.$"):
        find_endpoint("qqq", "reviews", [], ["/x"])


def test_endpoint_that_a_full_list_lacks_is_left_to_the_metrics() -> None:
    full = [f"/a/{number}" for number in range(MAX_ENDPOINTS)]

    assert find_endpoint("/a", "reviews", full, []) == "/a"
    with pytest.raises(EntityNotFoundError):
        find_endpoint("/a", "reviews", full[1:], [])


@pytest.mark.parametrize(
    ("count", "selector", "text"),
    [
        (1, "", ""),
        (1, "abc", "1 instance of abc"),
        (2, "abc", "2 instances of abc"),
        (10, "/x/", "10 instances of /x/"),
    ],
)
def test_subject_is_described_by_the_number_of_selected_instances(count: int, selector: str, text: str) -> None:
    members = tuple(Entity("reviews", instance=str(number)) for number in range(count))

    assert describe_subject(EntitySet(members, (), selector)) == text


def test_service_name_is_built_by_the_pattern_of_the_backend() -> None:
    assert resolve_service_name(spec_of(service="reviews.bookinfo"), PATTERN) == "reviews.bookinfo"
    assert resolve_service_name(spec_of(service=IN_PARTS), PATTERN) == "canary|reviews.bookinfo"


def test_service_name_without_a_part_of_the_pattern_is_an_invalid_block() -> None:
    with pytest.raises(ProviderError) as caught:
        resolve_service_name(spec_of(service={"name": "reviews", "namespace": "bookinfo"}), PATTERN)

    assert caught.value.reason is Reason.BLOCK_INVALID
    assert str(caught.value) == (
        f"the block of the metric is invalid: service.subset: is required by the backend's serviceName {PATTERN!r}"
    )


class Inventory:
    """A backend that has these lists and logs which of them are requested."""

    def __init__(
        self, endpoints: dict[str, list[str]] | None = None, instances: list[InventoryInstance] | None = None
    ) -> None:
        self.requests: list[tuple[object, ...]] = []
        self._endpoints = endpoints or {}
        self._instances = instances or []
        self.cached = KNOWN
        config = SimpleNamespace(service_name=PATTERN, ui="https://ui")
        self.connection = SimpleNamespace(
            services=self._services,
            config=config,
            name="prod",
            suggest=lambda *names: f"backend: {did_you_mean(*names)}",
        )

    async def _services(self, deadline: Deadline, *, fresh: bool = False) -> ServiceInventory:
        assert deadline is DEADLINE
        self.requests.append(("services", fresh))
        return KNOWN if fresh else self.cached

    async def endpoints(self, service: InventoryService, keyword: str, deadline: Deadline) -> list[str]:
        assert (service in (MESH, DATABASE), deadline) == (True, DEADLINE)
        self.requests.append(("endpoints", keyword))
        return self._endpoints[keyword]

    async def instances(self, service: InventoryService) -> list[InventoryInstance]:
        assert service in (MESH, DATABASE)
        self.requests.append(("instances",))
        return self._instances


async def resolve(inventory: Inventory, **keys: object) -> EntitySet:
    return await resolve_entities(spec_of(**keys), cast("Any", inventory), inventory.instances, DEADLINE)


async def test_service_is_resolved_from_the_cached_list() -> None:
    inventory = Inventory()

    assert await resolve(inventory) == EntitySet((Entity("reviews", normal=True),), MESH.layers)
    assert await resolve(inventory, layer="VIRTUAL_DATABASE") == EntitySet(
        (Entity("reviews", normal=False),), DATABASE.layers
    )
    assert inventory.requests == [("services", False)] * 2


async def test_service_that_the_cached_list_lacks_is_looked_up_in_a_new_one() -> None:
    inventory = Inventory()
    inventory.cached = ServiceInventory.build([])

    assert await resolve(inventory, layer="MESH") == EntitySet((Entity("reviews"),), MESH.layers)
    assert inventory.requests == [("services", False), ("services", True)]
    with pytest.raises(EntityNotFoundError, match="not in layer GENERAL"):
        await resolve(inventory, layer="GENERAL")
    with pytest.raises(EntityNotFoundError, match=r"'review'\. Backend: Did you mean reviews\?"):
        await resolve(inventory, service="review")


async def test_endpoint_is_looked_up_by_its_name_and_others_are_listed_for_the_hint() -> None:
    inventory = Inventory({"/a": ["/a/b", "/a"], "/b": [], "": ["/bb"]})

    assert await resolve(inventory, endpoint="/a") == EntitySet((Entity("reviews", endpoint="/a"),), MESH.layers)
    assert inventory.requests == [("services", False), ("endpoints", "/a")]
    with pytest.raises(EntityNotFoundError, match=r"'/b' of 'reviews'\. Backend: Did you mean /bb\?"):
        await resolve(inventory, endpoint="/b")


async def test_instances_are_resolved_with_their_selector() -> None:
    inventory = Inventory(instances=pods("pod-2", "pod-1", "other"))

    assert await resolve(inventory, instances={"name": "pod-.*"}) == EntitySet(
        (Entity("reviews", instance="pod-1"), Entity("reviews", instance="pod-2")), MESH.layers, "/pod-.*/"
    )
    with pytest.raises(EntityNotFoundError, match="no instance of 'reviews' has a whole name that matches 'none'"):
        await resolve(inventory, instances={"name": "none"})


async def test_service_in_parts_is_resolved_by_the_pattern_of_the_backend() -> None:
    with pytest.raises(EntityNotFoundError, match=r"OAP does not know 'canary\|reviews\.bookinfo'"):
        await resolve(Inventory(), service=IN_PARTS)


async def test_service_that_the_cached_list_has_in_another_layer_is_looked_up_in_a_new_one() -> None:
    inventory = Inventory()
    inventory.cached = ServiceInventory.build([DATABASE])

    assert (await resolve(inventory, layer="MESH")).layers == MESH.layers
    assert inventory.requests == [("services", False), ("services", True)]


async def test_parts_of_an_uninstrumented_service_are_uninstrumented_too() -> None:
    inventory = Inventory({"/a": ["/a"]}, pods("pod-1"))

    endpoint = await resolve(inventory, layer="VIRTUAL_DATABASE", endpoint="/a")
    instances = await resolve(inventory, layer="VIRTUAL_DATABASE", instances={"name": "pod-1"})

    assert endpoint.members == (Entity("reviews", normal=False, endpoint="/a"),)
    assert instances.members == (Entity("reviews", normal=False, instance="pod-1"),)


@pytest.mark.parametrize(
    ("prefix", "note"),
    [("reviews", ""), ("r" * 48, " (63-character pod names, which pods of an Experiment may have, too)")],
)
async def test_instances_by_hash_are_resolved_with_their_selector(prefix: str, note: str) -> None:
    pod = f"{prefix}-6c85f7bf4-9zr8t" if not note else f"{prefix}-6c85f7bf49zr8t"
    assert len(pod) in (23, 63)
    inventory = Inventory(instances=pods(pod, "reviews-7d4f9c8b65-2xkqz"))

    resolved = await resolve(inventory, instances={"podTemplateHash": "6c85f7bf4"})

    assert resolved == EntitySet((Entity("reviews", instance=pod),), MESH.layers, f"6c85f7bf4{note}")
    with pytest.raises(EntityNotFoundError, match="no instance of 'reviews' matches bcdf5"):
        await resolve(inventory, instances={"podTemplateHash": "bcdf5"})


def test_name_with_a_lone_surrogate_is_compared_with_a_regular_expression() -> None:
    name = "pod-\ud800"

    assert select_instances(Instances(name="pod-."), "reviews", pods(name)) == [name]


@pytest.mark.parametrize(
    ("keys", "described"),
    [
        ({"service": "reviews"}, ("reviews", "", "", "", True)),
        ({"service": "reviews", "layer": "mesh", "endpoint": "/a"}, ("reviews", "MESH", "/a", "", True)),
        ({"service": IN_PARTS, "instances": {"name": "x"}, "since": "window"}, ("", "", "", "/x/", False)),
    ],
)
def test_selection_is_described_with_the_backend_only_if_the_run_may_know_it(
    keys: dict[str, Any], described: tuple[object, ...]
) -> None:
    spec = spec_of(**keys)

    with_backend = describe_selection(spec, cast("Any", Inventory()))
    without = describe_selection(spec, None)

    names = ("canary|reviews.bookinfo", "name reviews, subset canary, namespace bookinfo")
    expected = [(name or described[0], *described[1:]) for name in (names if "subset" in keys["service"] else ("", ""))]
    found = [
        (one.service, one.layer, one.endpoint, one.instances, one.starts_at_run) for one in (with_backend, without)
    ]
    assert found == expected
    assert [(one.backend, one.ui, one.window) for one in (with_backend, without)] == [
        ("prod", "https://ui", timedelta(minutes=5)),
        ("", "", timedelta(minutes=5)),
    ]


def test_selection_of_a_backend_without_a_ui_has_no_link() -> None:
    inventory = Inventory()
    inventory.connection.config.ui = None

    assert describe_selection(spec_of(), cast("Any", inventory)).ui == ""


def test_services_that_are_selected_by_name_have_no_selected_instances() -> None:
    backend = cast("Any", Inventory())

    assert services_by_name(spec_of(service=IN_PARTS), backend) == ("canary|reviews.bookinfo",)
    assert services_by_name(spec_of(endpoint="/a"), backend) == ("reviews",)
    assert services_by_name(spec_of(instances={"name": "x"}), backend) == ()
