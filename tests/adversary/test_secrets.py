"""Credentials and secret arguments that come back: in values, through conditions, and in other encodings."""

import base64
import html
import json
import urllib.request
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import pytest

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.tools.demo.argo_host import ArgoHost, run_argo_host
from tests.adversary.harness import ROOT, HostileOap, Service, Trial, run_request

TOKEN = "abc&LONG<SECRET>-7731"  # noqa: S105 - not a real one
REDACTED = "********"
QUERY = "query q($duration: Duration!) { a: getAllTopology(duration: $duration) { nodes { name } } }"
BLOCK = {"query": QUERY, "interval": "3m"}
BEARER = {"bearer": {"token": TOKEN}}


@pytest.fixture
def oap(trial: Trial) -> HostileOap:
    """An OAP that forwards to the mock, so that its clock and schema are regular."""
    return trial.start_hostile_oap(trial.start_mock())


def start_service(trial: Trial, oap: HostileOap, **credentials: dict[str, Any]) -> Service:
    """Start the service with a backend for each of the credentials by name."""
    backend = {"url": oap.url, "cache": {"responseTtl": "0s", "verdictTtl": "0s"}}
    backends = {name: backend | one for name, one in credentials.items()}
    return trial.start_service(backends, config={"page": {"listen": "127.0.0.1:0"}})


def repeat(oap: HostileOap, text: str) -> None:
    oap.behave("body", text=json.dumps({"data": {"a": [{"name": text}]}}), only="getAllTopology")


def measure(service: Service, backend: str = "bearer", success: str = "") -> Any:
    return service.stub().Run(run_request({**BLOCK, "backend": backend}, success=success), timeout=60)


@pytest.mark.adversary("B7")
def test_credential_with_escaped_characters_is_redacted_in_value_and_page(trial: Trial, oap: HostileOap) -> None:
    other = trial.start_hostile_oap(oap.url)
    basic = {"basic": {"username": "argo", "password": TOKEN}, "url": other.url}
    service = start_service(trial, oap, bearer=BEARER, basic=basic)
    repeat(oap, f"you are {TOKEN}")

    values = [json.loads(measure(service, backend).value) for backend in ("bearer", "basic")]
    with urllib.request.urlopen(f"http://{service.address('page')}/?all=1", timeout=30) as response:
        page = response.read().decode()

    assert values == [{"a": [{"name": f"you are {REDACTED}"}]}] * 2
    assert "SECRET" not in page
    assert "SECRET" not in service.log.read_text()


@pytest.mark.adversary("B7")
def test_short_credential_with_escaped_characters_is_redacted_at_the_exit(trial: Trial, oap: HostileOap) -> None:
    # Data keep a secret of fewer than eight characters, so Go's encoder of the value escapes it.
    service = start_service(trial, oap, bearer={"bearer": {"token": "<x&7>"}})
    for text in ("you are <x&7>", "you are <x&7>\u2028 in JSON"):
        repeat(oap, text)

        value = measure(service).value

        assert json.loads(value) == {"a": [{"name": text.replace("<x&7>", REDACTED)}]}


CONDITIONS = (
    "int(toBase64(result.a[0].name)) > 0",
    "int(upper(result.a[0].name)) > 0",
    'int(join(split(result.a[0].name, ""), "_")) > 0',
    'int(reduce(split(result.a[0].name, ""), # + #acc)) > 0',
    "int(result.a[0].name[8:14]) > 0",
    'int(toJSON(map(split(result.a[0].name, ""), "x" + #))) > 0',
)


@pytest.mark.adversary("B8")
def test_condition_cannot_transform_a_repeated_credential(trial: Trial, oap: HostileOap) -> None:
    service = start_service(trial, oap, bearer=BEARER)
    messages: dict[str, list[str]] = {}
    for name in ("harmless", TOKEN, REDACTED):
        repeat(oap, f"you are {name}")
        messages[name] = [measure(service, success=condition).message for condition in CONDITIONS]

    assert all("invalid operation: int(" in message for message in messages["harmless"])  # they do quote the data
    assert messages[TOKEN] == messages[REDACTED]


@pytest.mark.adversary("B8")
def test_condition_cannot_compare_a_repeated_credential(trial: Trial, oap: HostileOap) -> None:
    service = start_service(trial, oap, bearer=BEARER)
    repeat(oap, f"Bearer {TOKEN}")

    guesses = [f'result.a[0].name startsWith "Bearer {guess}"' for guess in ("abc", "xyz")]
    phases = {measure(service, success=guess).phase for guess in guesses}

    assert len(phases) == 1


ENCODINGS = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of the header": lambda text: base64.b64encode(f"Bearer {text}".encode()).decode(),
    "URL-safe base64 in a text": lambda text: base64.urlsafe_b64encode(f"user:{text}!".encode()).decode().rstrip("="),
    "HTML": html.escape,
    "HTML numbers": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "lower-case percent": lambda text: quote(text).replace("%3C", "%3c").replace("%3E", "%3e"),
    "hex": lambda text: text.encode().hex(),
    "unicode escapes in a text": lambda text: "".join(f"\\u{ord(one):04X}" for one in text),
    "HTML in percent": lambda text: quote(html.escape(text)),
}


@pytest.mark.adversary("W7")
@pytest.mark.slow
def test_repeated_credential_is_redacted_in_each_documented_encoding(trial: Trial, oap: HostileOap) -> None:
    service = start_service(trial, oap, bearer=BEARER)

    for name, encode in ENCODINGS.items():
        repeat(oap, f"you are {encode(TOKEN)} or not")
        value = measure(service).value
        oap.behave("body", text=json.dumps({"errors": [{"message": f"no, {encode(TOKEN)} or"}]}), only="getAllTopology")
        message = measure(service).message

        assert json.loads(value) == {"a": [{"name": f"you are {REDACTED} or not"}]}, name
        assert f"no, {REDACTED} or" in message, name


class HostileSidecar(rpc.MetricProviderServicer):
    """A sidecar whose texts are hostile.

    Attributes:
        measurement: Measurement that it returns; None for an error with `message`.
    """

    def __init__(self) -> None:
        self.measurement: pb.Measurement | None = None
        self.message = ""
        self.received: list[pb.RunRequest] = []

    def Describe(self, request: pb.DescribeRequest, context: grpc.ServicerContext) -> pb.DescribeResponse:  # noqa: ARG002, N802
        """Return the version of the contract."""
        return pb.DescribeResponse(contract_version="1.0")

    def Run(self, request: pb.RunRequest, context: grpc.ServicerContext) -> pb.Measurement:  # noqa: N802
        """Return the measurement."""
        self.received.append(request)
        if self.measurement is None:
            context.abort(grpc.StatusCode.INTERNAL, self.message)
        return self.measurement

    def GetMetadata(  # noqa: N802
        self,
        request: pb.GetMetadataRequest,  # noqa: ARG002
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> pb.GetMetadataResponse:
        """Return metadata with the message."""
        return pb.GetMetadataResponse(metadata={"query": self.message})


@asynccontextmanager
async def run_bridge(sidecar: HostileSidecar, folder: Path) -> AsyncIterator[ArgoHost]:
    """Run Argo's plugin client with the bridge, which is connected to a sidecar."""
    binaries = ROOT / ".cache/bin"
    server = grpc.server(ThreadPoolExecutor(4))
    rpc.add_MetricProviderServicer_to_server(sidecar, server)
    server.add_insecure_port(f"unix:{folder / 's.sock'}")
    server.start()
    log, arguments = folder / "argo-host.log", f"--socket={folder / 's.sock'}"
    try:
        async with run_argo_host(binaries / "argo-host", binaries / "skywalking-bridge", log, arguments) as host:
            yield host
    finally:
        server.stop(None).wait()


def argo_metric(block: dict[str, Any], success: str = "") -> dict[str, Any]:
    return {"name": "m", "successCondition": success, "provider": {"plugin": {"skywalking/metrics": block}}}


HOSTILE = "\x1b[31mFAILED\x1b[0m\r\nlevel=error \u202etxt\u2028 "


@pytest.mark.adversary("W10")
@pytest.mark.parametrize("place", ["message", "value", "JSON value", "error"])
async def test_text_of_a_sidecar_is_one_bounded_line_in_argo(place: str, tmp_path: Path) -> None:
    sidecar = HostileSidecar()
    long = HOSTILE * (900_000 // len(HOSTILE.encode()))
    directions = "\u202e" * 100_000
    value = {"value": long, "JSON value": f'{{"a":\r\n"{directions}"}}'}.get(place, "1")
    if place == "error":
        sidecar.message = long[:3000]
    else:
        message = long if place == "message" else HOSTILE
        sidecar.measurement = pb.Measurement(phase=pb.PHASE_SUCCESSFUL, message=message, value=value)
        sidecar.message = HOSTILE

    async with run_bridge(sidecar, tmp_path) as host:
        run = {"metadata": {"name": "r", "namespace": "n"}}
        measurement = (await host.request("run", run=run, metric=argo_metric({"a": 1})))["measurement"]
        metadata = (await host.request("metadata", metric=argo_metric({"a": 1})))["metadata"]

    assert sidecar.received
    assert 0 < len(measurement["message"]) <= 1024
    assert measurement["message"].isprintable()
    assert measurement.get("value", "").isprintable()
    assert len(measurement.get("value", "").encode()) <= 1 << 20
    assert "\x1b" not in str(metadata)
    assert "\u202e" not in str(metadata)
    if place == "JSON value":
        assert json.loads(measurement["value"]) == {"a": directions}  # equal JSON


@pytest.mark.adversary("W7")
async def test_secret_argument_in_each_documented_encoding_is_rejected_and_redacted(tmp_path: Path) -> None:
    sidecar = HostileSidecar()
    reference = {"secretKeyRef": {"name": "s", "key": "k"}}
    run = {
        "metadata": {"name": "r", "namespace": "n"},
        "spec": {"args": [{"name": "token", "value": TOKEN, "valueFrom": reference}]},
    }
    async with run_bridge(sidecar, tmp_path) as host:
        for name, encode in ENCODINGS.items():
            text = f"you are {encode(TOKEN)} or not"
            rejected = await host.request("run", run=run, metric=argo_metric({"query": text}))
            assert "SECRET_IN_BLOCK" in rejected["measurement"]["message"], name
            assert not sidecar.received, name

            sidecar.measurement = pb.Measurement(phase=pb.PHASE_SUCCESSFUL, message=text, value=json.dumps(text))
            repeated = (await host.request("run", run=run, metric=argo_metric({"query": "x"})))["measurement"]
            assert repeated["message"] == f"you are {REDACTED} or not", name
            assert json.loads(repeated["value"]) == f"you are {REDACTED} or not", name
            sidecar.received.clear()
