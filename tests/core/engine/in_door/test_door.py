"""The door of a pool, and strangers who knock."""

from __future__ import annotations

import asyncio
import select
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.in_door import session
from tfaas_core.engine.in_door.door import MOST_GREETING
from tfaas_core.engine.in_front.dialling import FarDoor, HostAwayError
from tfaas_core.engine.shared import hello
from tfaas_core.engine.shared.sent_files import in_thread, send_files
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.suites.engine.door import TOKEN, TestHost
from tfaas_core.testing.waiting import eventually


@asynccontextmanager
async def door() -> AsyncIterator[TestHost]:
    """A host whose door is open; nobody asks its pool for anything."""
    host = TestHost(EngineContext(load_config(None, (), {}), {}, 1))
    host.door.start()
    try:
        yield host
    finally:
        await host.door.close()
        host.listener.close()
        await host.pool.close()


def dialled(host: TestHost, token: str = TOKEN) -> FarDoor:
    return FarDoor(host.address, token, 30.0)


async def is_let_in(host: TestHost) -> bool:
    greeting = hello.new_greeting("worker", hello.new_nonce().hex())
    with await dialled(host).dial(greeting):
        return True


async def knock(host: TestHost) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, host.listener.getsockname())
    return sock


async def told(sock: socket.socket) -> bytes:
    """All that the host says until it hangs up."""
    said, loop = b"", asyncio.get_running_loop()
    try:
        while data := await loop.sock_recv(sock, 4096):
            said += data
    except ConnectionError:
        pass
    return said


@in_event_loop
async def test_who_does_not_know_the_token_is_told_and_others_are_let_in() -> None:
    async with door() as host:
        with pytest.raises(HostAwayError, match="refuses this server: the tokens differ"):
            await dialled(host, "another").dial(hello.new_greeting("worker", "mine"))
        assert await is_let_in(host)


@in_event_loop
async def test_a_host_that_does_not_know_the_token_gets_nothing() -> None:
    """Somebody who listens at its address may repeat what he has heard, and prove nothing."""
    async with door() as host:
        with socket.create_server(("127.0.0.1", 0)) as false_host:
            false_host.setblocking(False)
            place = "{}:{}".format(*false_host.getsockname())
            dial = FarDoor(place, TOKEN, 30.0).dial(hello.new_greeting("worker", "mine"))
            caller = asyncio.create_task(dial)
            loop = asyncio.get_running_loop()
            sock, _address = await loop.sock_accept(false_host)
            with sock, await knock(host) as real:
                await loop.sock_sendall(real, await loop.sock_recv(sock, 4096))
                await loop.sock_sendall(sock, await loop.sock_recv(real, 4096))
                proof = await loop.sock_recv(sock, 4096)
                await loop.sock_sendall(sock, proof)  # in the place of the host's own
                with pytest.raises(HostAwayError, match="the tokens differ"):
                    await caller


@in_event_loop
async def test_a_hello_that_was_heard_once_proves_nothing_again() -> None:
    async with door() as host:
        loop, heard = asyncio.get_running_loop(), []
        ours, theirs = socket.socketpair()
        with ours, theirs, await knock(host) as sock:
            for each in (ours, theirs):
                each.setblocking(False)
            greeting = hello.new_greeting("worker", "mine")
            caller = asyncio.create_task(hello.call_host(ours, TOKEN, greeting))
            for _turn in range(2):
                heard.append(await loop.sock_recv(theirs, 4096))
                await loop.sock_sendall(sock, heard[-1])
                await loop.sock_sendall(theirs, await loop.sock_recv(sock, 4096))
            await caller
        with await knock(host) as sock:
            await loop.sock_sendall(sock, b"".join(heard))
            assert b"the tokens differ" in await told(sock)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", b"the door of a TFaaS host"),
        (hello.MAGIC + b"\x63\x00\x01", b"and not 99: install the same TFaaS"),
        (hello.MAGIC + bytes([hello.DOOR_VERSION, 0, 9]), b"the byte orders"),
        (hello.MAGIC + bytes([hello.DOOR_VERSION, 0, 1]) + b"\xff\xff", b""),
        (hello.MAGIC + bytes([hello.DOOR_VERSION, 0, 1]) + b"\x02\x00\xff\xff", b""),
    ],
)
@in_event_loop
async def test_what_is_no_hello_is_hung_up_on(said: bytes, answer: bytes) -> None:
    async with door() as host:
        with await knock(host) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, said)
            assert answer in await told(sock)
        assert await is_let_in(host)


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x02\x00\xff\xff"])
@in_event_loop
async def test_who_calls_at_another_servers_port_is_told_so(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setblocking(False)
        place = "{}:{}".format(*other.getsockname())
        dial = FarDoor(place, TOKEN, 30.0).dial(hello.new_greeting("worker", "mine"))
        caller = asyncio.create_task(dial)
        loop = asyncio.get_running_loop()
        sock, _address = await loop.sock_accept(other)
        with sock:
            await loop.sock_sendall(sock, said)
            with pytest.raises(HostAwayError, match="answers there is not `tfaas serve-engine`"):
                await caller


@in_event_loop
async def test_those_who_say_nothing_make_room_for_others() -> None:
    async with door() as host:
        with ExitStack() as silent:
            socks = [silent.enter_context(await knock(host)) for _ in range(MOST_GREETING + 8)]
            assert await is_let_in(host)
            assert await told(socks[0]) == b""


@in_event_loop
async def test_who_says_too_little_is_logged_in_words(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hello, "HELLO_LIMIT_S", 0.05)
    async with door() as host:
        with await knock(host) as sock:
            sock.send(hello.MAGIC)
            assert await told(sock) == b""
    assert "is not taken in: it has not said a whole hello within 0.05 s" in caplog.text


@in_event_loop
async def test_a_flood_of_connections_is_bounded_too() -> None:
    async with door() as host:
        with ExitStack() as flood:
            socks: list[socket.socket] = []
            for _wave in range(2):
                for _ in range(100):  # all before the door looks
                    sock = socket.create_connection(host.listener.getsockname())
                    socks.append(flood.enter_context(sock))
                for _turn in range(300):  # of the event loop: all are taken in
                    await asyncio.sleep(0)
            assert await is_let_in(host)
            hung_up_on, _, _ = select.select(socks, [], [], 0)
            assert len(hung_up_on) >= len(socks) - MOST_GREETING


@in_event_loop
async def test_files_that_nobody_has_loaded_do_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(session, "KEPT_S", 0.0)
    async with door() as host:
        far = dialled(host)
        with await far.dial(hello.new_greeting("worker", "mine")):
            with await far.dial(hello.new_greeting("upload", "mine", key="sent")) as sock:
                await in_thread(sock, send_files, Path(__file__))
            await eventually(lambda: not list(tmp_path.iterdir()), "the files are discarded")


@in_event_loop
async def test_connections_of_no_session_are_turned_away() -> None:
    async with door() as host:
        for purpose in ("model", "upload"):
            greeting = hello.new_greeting(purpose, "nobody's", 1)
            with pytest.raises(HostAwayError, match="does not know this worker"):
                await dialled(host).dial(greeting)
