"""Tests of measurements whose block or condition has an argument that Argo left unresolved."""

import pytest

from skywalking_provider.model import Deadline, Metric, Phase
from tests.analysis.harness import CANARY, RUN, HarnessFactory, build_metric, measure


async def test_unresolved_service_is_an_error_at_once(harness: HarnessFactory) -> None:
    async with harness() as b:
        measurement = await measure(b, sli="apdex", service="{{args.subset}}|reviews|bookinfo|cluster-1|-")

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith(
        "BLOCK_INVALID the block of the metric is invalid: service: {{args.subset}} was not replaced."
    )
    assert not b.oap.requests


@pytest.mark.parametrize(
    ("success", "failure", "message"),
    [
        ('result == "{{args.wanted}}"', "", "BLOCK_INVALID successCondition: {{args.wanted}} was not replaced."),
        ("", "result > {{ args.limit }}", "BLOCK_INVALID failureCondition: {{ args.limit }} was not replaced."),
        ('"{{inputs.x}}" != ""', "", "BLOCK_INVALID successCondition: {{inputs.x}} was not replaced."),
    ],
)
async def test_unresolved_condition_is_an_error_that_names_it(
    harness: HarnessFactory, success: str, failure: str, message: str
) -> None:
    async with harness() as b:
        measurement = await measure(b, success, failure=failure, sli="throughput", service=CANARY)

    assert (measurement.phase, measurement.message[: len(message)]) == (Phase.ERROR, message)


async def test_condition_on_other_braces_is_evaluated(harness: HarnessFactory) -> None:
    async with harness() as b:
        metric = Metric("m", '"{{x}}" != "/{id}"', "", build_metric("").block)

        assert (await b.engine.run(metric, RUN, Deadline.after(10))).phase is Phase.SUCCESSFUL
