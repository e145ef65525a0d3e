"""Tests of the cache of causes: its key, its bound and its disabling."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from skywalking_provider.analysis.cause_cache import CauseCache, CauseKey
from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.inventory import InventoryService
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.causes.endpoints import EndpointCause, EndpointShare, Traffic
from skywalking_provider.queries.causes.target import CauseTarget, Contribution
from tests.analysis.harness import NOON

SERVICE = InventoryService("c2hvcA==.1", "shop", ("MESH",), normal=True)
KEY = CauseKey(CauseTarget(IndicatorName.SUCCESS_RATE, SERVICE), "prod", "1", Window(NOON, NOON + timedelta(minutes=5)))
FAILED = Traffic(100, 10.0)


def backend(response_ttl: timedelta = timedelta(seconds=7)) -> Backend:
    config = SimpleNamespace(cache=SimpleNamespace(response_ttl=response_ttl))
    return cast("Backend", SimpleNamespace(connection=SimpleNamespace(config=config)))


def cause(name: str = "/reviews") -> Cause:
    shares = (EndpointShare(name, FAILED, None, 10.0),) * 10
    return Cause(EndpointCause(Contribution.FAILURES, FAILED, shares))


@pytest.mark.parametrize(
    "change",
    [
        {"backend": "staging"},
        {"credentials_version": "2"},
        {"window": Window(NOON, NOON + timedelta(minutes=6))},
        {"target": replace(KEY.target, instances=("shop-6c85f7bf4-x7k2d",))},
        {"target": replace(KEY.target, own_amount=7.0)},
        {"target": replace(KEY.target, indicator=IndicatorName.LATENCY)},
    ],
    ids=str,
)
def test_cause_cache_other_input_is_another_entry(change: dict[str, Any]) -> None:
    cache = CauseCache(lambda: 0.0)
    cache.put(KEY, cause(), backend())
    assert cache.get(replace(KEY)) is not None
    assert cache.get(replace(KEY, **change)) is None


def test_cause_cache_drops_the_least_recent_causes_beyond_its_bound() -> None:
    cache = CauseCache(lambda: 0.0)
    for number in range(5000):
        cache.get(KEY)
        cache.put(replace(KEY, credentials_version=f"v{number}") if number else KEY, cause("/" + "x" * 252), backend())
    assert len(cache) < 300
    assert cache.get(KEY) is not None
    assert cache.get(replace(KEY, credentials_version="v1")) is None


def test_cause_cache_without_reuse_of_responses_stays_empty() -> None:
    cache = CauseCache(lambda: 0.0)
    cache.put(KEY, cause(), backend(timedelta(0)))
    assert cache.get(KEY) is None
