"""The gate has so many connections and no more, also while gRPC's library accepts none."""

from __future__ import annotations

import asyncio
import socket

from tfaas_plugins.grpc_server.gate import Gate

from tfaas_core.testing.loops import in_event_loop


@in_event_loop
async def test_one_too_many_is_cut_and_others_find_room_once_one_has_gone() -> None:
    gate = Gate(None, handshake_s=10, most=2, clock=lambda: 0.0)
    with socket.socket(socket.AF_UNIX) as library, socket.socket() as kept:
        at = await opened(gate, library, kept)
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


@in_event_loop
async def test_one_without_a_call_makes_room_the_oldest_first() -> None:
    now_s = [0.0]
    gate = Gate(None, handshake_s=10, most=3, clock=lambda: now_s[0])
    with socket.socket(socket.AF_UNIX) as library, socket.socket() as kept:
        at = await opened(gate, library, kept)
        calling = await asyncio.open_connection(*at)
        to_library, name = await asyncio.to_thread(library.accept)
        inside = gate.at(f"unix-abstract:{name[1:].decode()}")
        assert inside is not None
        inside.calls = 1
        older, newer = await asyncio.open_connection(*at), await asyncio.open_connection(*at)
        accepted = [(await asyncio.to_thread(library.accept))[0] for _ in range(2)]
        now_s[0] = 2.0
        last = await asyncio.open_connection(*at)
        await until_ended(older)
        accepted.append((await asyncio.to_thread(library.accept))[0])
        for connection in (calling, newer, last):
            assert not connection[0].at_eof()
        for end, connection in zip(
            (to_library, *accepted[1:]), (calling, newer, last), strict=True
        ):
            end.close()
            await until_ended(connection)
        accepted[0].close()
        gate.close()
        await gate.end()


async def opened(gate: Gate, library: socket.socket, kept: socket.socket) -> tuple[str, int]:
    """The address of ``gate``. As one without a descriptor to spare, nobody accepts what comes."""
    library.bind(gate.library_address.removeprefix("unix:"))
    library.listen(16)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    kept.bind(("127.0.0.1", 0))
    await gate.open(kept)
    address: tuple[str, int] = kept.getsockname()
    return address


async def until_ended(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    reader, writer = connection
    try:
        async with asyncio.timeout(60):
            assert await reader.read() == b""
    except ConnectionResetError:
        pass
    writer.close()
