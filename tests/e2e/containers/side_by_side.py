"""Tests that run at the same time: each one mostly waits for containers."""

import functools
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from tests.e2e.containers.node import Node

Body = Callable[[Node], None]
LastBody = Callable[[Node, Callable[[], None]], None]
Started = dict[Callable[..., None], "Future[None]"]


def side_by_side(body: Body) -> Callable[[Started], None]:
    """Make a test that waits for its body, which the fixture `started` runs together with those of the other tests."""
    return make_test(body, "body")


def disturbing_others(body: LastBody) -> Callable[[Started], None]:
    """Make such a test whose body affects all pods: it calls its second argument to wait for the other tests."""
    return make_test(body, "last_body")


def make_test(body: Callable[..., None], attribute: str) -> Callable[[Started], None]:
    @functools.wraps(body)
    def test(started: Started) -> None:
        started[body].result()

    del test.__wrapped__  # pytest would look for the fixtures of the body
    setattr(test, attribute, body)
    return test


def start(tests: Iterable[object], node: Node, pool: ThreadPoolExecutor) -> Started:
    """Start the bodies of these test functions."""
    functions = list(tests)
    bodies: list[Body] = [test.body for test in functions if hasattr(test, "body")]
    last: list[LastBody] = [test.last_body for test in functions if hasattr(test, "last_body")]
    started: Started = {body: pool.submit(body, node) for body in bodies}

    def await_others() -> None:
        wait(list(started.values()))

    return started | {body: pool.submit(body, node, await_others) for body in last}
