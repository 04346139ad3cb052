"""The gate has so many connections and no more, also while gRPC's library accepts none."""

from __future__ import annotations

import asyncio
import socket

from tfaas_plugins.grpc_server.gate import Gate

from tfaas_core.testing.loops import in_event_loop


@in_event_loop
async def test_one_too_many_is_cut_and_others_find_room_once_one_has_gone() -> None:
    gate = Gate(None, handshake_s=10, most=2)
    with socket.socket(socket.AF_UNIX) as library, socket.socket() as kept:
        # As one without a descriptor to spare, it does not accept what comes.
        library.bind(gate.library_address.removeprefix("unix:"))
        library.listen(16)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        await gate.open(kept)
        at = kept.getsockname()
        first, second = await asyncio.open_connection(*at), await asyncio.open_connection(*at)
        for _ in range(3):
            await until_ended(await asyncio.open_connection(*at))
        assert not first[0].at_eof()
        assert not second[0].at_eof()
        for connection in (first, second):  # in the order that they came in
            library.accept()[0].close()
            await until_ended(connection)
        last = await asyncio.open_connection(*at)
        accepted, _ = await asyncio.to_thread(library.accept)
        accepted.close()
        await until_ended(last)
        gate.close()
        await gate.end()


async def until_ended(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    reader, writer = connection
    try:
        async with asyncio.timeout(60):
            assert await reader.read() == b""
    except ConnectionResetError:
        pass
    writer.close()
