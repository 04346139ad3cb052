"""A connection to a machine that is gone ends in time, whatever is sent to it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import Iterator

import pytest

from tfaas_core.system.network.silence import Silence
from tfaas_core.testing.loops import in_event_loop

SO_ATTACH_FILTER = 26
DEAD_AFTER_S = 0.3


@contextlib.contextmanager
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _address = listener.accept()
    with near, far:
        near.setblocking(False)
        yield near, far


def fall_silent(sock: socket.socket) -> None:
    """Its kernel drops whatever comes, as if its cable was pulled."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    pointer = struct.pack("HP", 1, ctypes.addressof(program))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)


@in_event_loop
async def test_what_is_sent_into_the_silence_does_not_prolong_it() -> None:
    with connection() as (near, far):
        Silence(near, DEAD_AFTER_S)
        fall_silent(far)
        loop = asyncio.get_running_loop()
        reading = asyncio.create_task(loop.sock_recv(near, 1))
        # The kernel would try for minutes.
        async with asyncio.timeout(60):
            while not reading.done():
                with contextlib.suppress(BrokenPipeError):
                    near.send(b"?")
                await asyncio.sleep(0.1)
        assert reading.result() == b""


@in_event_loop
async def test_one_that_has_nothing_to_say_is_not_silent() -> None:
    with connection() as (near, far):
        Silence(near, DEAD_AFTER_S)
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2 * DEAD_AFTER_S):
                await loop.sock_recv(near, 1)
        near.send(b"?")
        assert far.recv(1) == b"?"
        far.send(b"!")
        assert await loop.sock_recv(near, 1) == b"!"
