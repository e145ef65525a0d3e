"""DNS server with fixed addresses, as a headless Service has them: the part of RFC 1035 that serves A records.

`python -m bench.name_server ADDRESS...` prints its own address and serves until it is terminated.
"""

import asyncio
import ipaddress
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

_RESPONSE_FLAGS = 0x8180  # a response, recursion desired and available, no error
_A, _IN = 1, 1
_HEADER = 12


class DnsServer(asyncio.DatagramProtocol):
    """DNS server that returns the same addresses for every name."""

    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self.address = ""
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        host, port = transport.get_extra_info("sockname")
        self.address = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport  # noqa: S101 - a datagram follows the connection
        end = data.index(0, _HEADER) + 5  # after the last, empty label of the name: type and class
        kind, _ = struct.unpack("!HH", data[end - 4 : end])
        records = self.addresses if kind == _A else []
        header = data[:2] + struct.pack("!HHHHH", _RESPONSE_FLAGS, 1, len(records), 0, 0)
        body = b"".join(
            struct.pack("!HHHIH", 0xC000 | _HEADER, _A, _IN, 1, 4) + ipaddress.IPv4Address(one).packed
            for one in records
        )
        self._transport.sendto(header + data[_HEADER:end] + body, addr)


@asynccontextmanager
async def start_dns_server(addresses: list[str]) -> AsyncIterator[DnsServer]:
    """Run the server on a loopback port until the context ends."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: DnsServer(addresses), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()


async def _serve(addresses: list[str]) -> None:
    async with start_dns_server(addresses) as server:
        print(server.address, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
