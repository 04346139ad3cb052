"""A connection to a machine that is gone ends in time, whatever is sent to it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from tfaas_core.system.network import silence
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


class _Busy(socket.socket):
    """Tells what the kernel would, at ``now_s``, if the other machine was last heard at 0.5."""

    now_s = 0.0

    def getsockopt(self, *_option: int) -> bytes:  # type: ignore[override]
        heard_ms = round(1000 * (self.now_s - min(self.now_s - 0.01, 0.5)))
        return silence._TCP_INFO.pack(0, 1, heard_ms)  # something is sent all the time


def test_a_busy_one_is_given_up_when_it_has_been_silent_for_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    near = _Busy(fileno=ours.detach())
    looks: list[tuple[float, Callable[[], None]]] = []
    clock = SimpleNamespace(monotonic=lambda: near.now_s)
    loop = SimpleNamespace(call_later=lambda wait_s, look: looks.append((wait_s, look)))
    monkeypatch.setattr(silence, "time", clock)
    monkeypatch.setattr(silence, "asyncio", SimpleNamespace(get_running_loop=lambda: loop))
    with near, theirs:
        Silence(near, 3.0)
        while looks:
            wait_s, look = looks.pop()
            near.now_s += wait_s
            look()
        assert theirs.recv(1) == b""
    assert near.now_s == pytest.approx(3.5, abs=0.01)
