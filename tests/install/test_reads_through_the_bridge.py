"""Queries with wrong reads through the real bridge and Argo's own plugin client."""

from pathlib import Path

import pytest

from skywalking_provider.mock_oap import MockOap
from tests.analysis.harness import CANARY, VERSIONS
from tests.install.argo_client import open_argo_client

RUN = {"metadata": {"namespace": "bookinfo", "name": "reviews"}, "spec": {}}
FIXED = '{step: MINUTE, start: "2020-05-28 1040", end: "2020-05-28 1050"}'


def build_query(kind: str, *, labels: str = "", duration: str = "$duration") -> str:
    return f"""query q($duration: Duration!) {{
      v: {kind}(condition: {{name: "service_percentile", entity: {{scope: Service, serviceName: "{CANARY}",
        normal: true}}}}, {labels} duration: {duration}) {{ label values {{ values {{ value }} }} }}
    }}"""


QUERIES = {
    build_query("readLabeledMetricsValues", labels='labels: ["99"],'): (
        "QUERY_INVALID v: service_percentile has no label '99'. Write labels: ["
    ),
    build_query("readLabeledMetricsValues", labels="labels: [],", duration=FIXED): (
        "query: v does not use $duration: its duration is { step: MINUTE,"
    ),
    build_query("readMetricsValues"): (
        "QUERY_INVALID v: service_percentile has labels, which readMetricsValues does not read. Read it with"
    ),
}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("p")  # short: a socket path has at most 107 bytes


@pytest.mark.parametrize("version", VERSIONS)
async def test_wrong_read_is_an_error_of_argo_with_its_cause(folder: Path, version: str) -> None:
    async with (
        MockOap("failing-canary", version=version) as oap,
        open_argo_client(oap.url, folder) as host,
    ):
        for query, message in QUERIES.items():
            block = {"interval": "5m", "query": query}
            metric = {"name": "p99", "successCondition": "true", "provider": {"plugin": {"skywalking/metrics": block}}}
            measurement = (await host.request("run", run=RUN, metric=metric))["measurement"]

            assert measurement["phase"] == "Error", measurement
            assert message in measurement["message"]
