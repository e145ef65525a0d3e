"""Calls of a service and requests to its HTTP listener."""

import socket
import urllib.error
import urllib.request

from tests.adversary.harness import HEALTHY_BLOCK, Service, outcome, run_request


def find_free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def get(url: str, timeout: float = 30) -> str:
    """Return the body of a response; "" without one."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:  # noqa: S310 - loopback
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        error.close()
        return ""
    except OSError:
        return ""


def measure(service: Service, number: int, name: str = "m") -> list[str]:
    """Return the outcomes of measurements one after another, up to the first that is not Successful."""
    stub, outcomes = service.stub(), []
    for one in range(number):
        request = run_request(HEALTHY_BLOCK, name=f"{name}{one}", success="result >= 0.5")
        request.run.name = f"{name}{one}"
        outcomes.append(outcome(stub, request, 20))
        if outcomes[-1] != "Successful":
            break
    return outcomes
