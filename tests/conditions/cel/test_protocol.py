"""The messages between the service and a CEL worker."""

import pytest

from skywalking_provider.conditions.cel.protocol import (
    WorkerProblem,
    WorkerReady,
    WorkerRequest,
    WorkerResponse,
    decode_ready,
    decode_request,
    decode_response,
)
from skywalking_provider.conditions.limits import StopReason


def test_request_is_decoded_as_it_was_encoded() -> None:
    request = WorkerRequest({"success": "result > 'é\n'"}, 5, 0.4, compile_only=False)
    assert decode_request(request.encode()) == request
    assert request.encode().count(b"\n") == 1


@pytest.mark.parametrize(
    "response",
    [
        WorkerResponse({"success": True, "failure": False}, cpu_seconds=0.1),
        WorkerResponse({}, (WorkerProblem("success", "unknown name x", 1, 2),)),
        WorkerResponse({}, stop_reason=StopReason.MEMORY),
    ],
)
def test_response_is_decoded_as_it_was_encoded(response: WorkerResponse) -> None:
    assert decode_response(response.encode()) == response


def test_first_message_is_decoded_as_it_was_encoded() -> None:
    assert decode_ready(WorkerReady("ImportError: celpy").encode()) == WorkerReady("ImportError: celpy")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"text\n",
        b"[]\n",
        b"{}\n",
        b'{"unknown": 1}\n',
        b'{"values": {}, "problems": [1], "stop_reason": null, "cpu_seconds": 0}\n',
        b'{"values": {}, "problems": [], "stop_reason": "unknown", "cpu_seconds": 0}\n',
    ],
)
def test_invalid_response_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_response(line)


@pytest.mark.parametrize("line", [b"", b"[]\n", b'{"unknown": 1}\n'])
def test_invalid_first_message_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_ready(line)
