"""Socket permissions: only user and group can connect, from the creation of the socket on."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
import pytest

from skywalking_provider.config import Config
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.grpc_server import bind_server
from skywalking_provider.server.unix_socket import exclusive_socket_path


@pytest.fixture(params=[0, 0o022, 0o077])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize(("text", "mode"), [("0660", 0o660), ("0600", 0o600)])
async def test_socket_with_any_umask_is_never_open_to_others(tmp_path: Path, text: str, mode: int) -> None:
    path = tmp_path / "p.sock"
    config = Config.model_validate({"backends": {"prod": {"url": "http://oap"}}, "socketMode": text})
    server = grpc.aio.server()
    umask = os.umask(0)
    os.umask(umask)

    with exclusive_socket_path(path) as owned:
        bind_server(server, Endpoint(path, None), config, owned)

        assert stat.S_IMODE(owned.bind_path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(owned.bind_path.stat().st_mode) == mode
        assert os.umask(umask) == umask
        owned.publish(mode)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        await server.stop(None)
