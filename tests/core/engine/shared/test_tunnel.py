"""Tunnels whose ends go away while something is still on its way."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import struct

import pytest
import uvloop

from tests.certificates import Authority
from tfaas_core.engine.shared import tunnel
from tfaas_core.engine.shared.door_tls import CallerTls, HostTls
from tfaas_core.system.network.tls import TlsFiles
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

_WITHIN_S = 30
_CUT = struct.pack("ii", 1, 0)
"""Of SO_LINGER: who closes cuts the connection."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def files(authority: Authority) -> TlsFiles:
    cert = authority.signed("host")
    return TlsFiles(cert, cert)


def caller(authority: Authority) -> CallerTls:
    return CallerTls(authority.cert, "tls_ca", None)


class TestATunnelInAsyncio:
    @in_event_loop
    async def test_who_hangs_up_with_answers_unread_is_heard_to_the_end(
        self, authority: Authority, files: TlsFiles
    ) -> None:
        loop, (there, here) = asyncio.get_running_loop(), _connected()
        host, server = HostTls(files), caller(authority)
        far, near = await asyncio.gather(host.tunnel(there), server.tunnel(here, "127.0.0.1"))
        answering = asyncio.create_task(loop.sock_sendall(far.sock, bytes(1 << 25)))
        await eventually(lambda: bool(select.select([near.sock], [], [], 0)[0]), "an answer comes")
        near.sock.send(b"a request")
        near.sock.close()
        async with asyncio.timeout(_WITHIN_S):
            await asyncio.gather(answering, return_exceptions=True)
            await _read_to_the_end(far.sock)

    @in_event_loop
    async def test_a_connection_that_is_cut_ends_after_what_had_come(
        self, authority: Authority, files: TlsFiles
    ) -> None:
        there, here = _connected()
        there.setblocking(True)
        shaking = asyncio.to_thread(files.context().wrap_socket, there, server_side=True)
        outer, near = await asyncio.gather(shaking, caller(authority).tunnel(here, "127.0.0.1"))
        outer.sendall(bytes(1 << 16))
        outer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CUT)
        outer.close()
        async with asyncio.timeout(_WITHIN_S):
            await _read_to_the_end(near.sock)

    @in_event_loop
    async def test_one_that_was_closed_ends_though_the_far_side_takes_nothing(
        self, authority: Authority, files: TlsFiles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tunnel, "STUCK_S", 0.1)
        monkeypatch.setattr(tunnel, "_LOOK_S", 0.03)
        ended, (there, here) = asyncio.Event(), _connected()
        there.setblocking(True)
        shaking = asyncio.to_thread(files.context().wrap_socket, there, server_side=True)
        context = ssl.create_default_context(cafile=authority.cert)
        far, outer = await asyncio.gather(shaking, tunnel.tls_over(here, context, "127.0.0.1"))
        with far:
            near = tunnel.Tunnel(outer, lambda _tunnel: ended.set())
            with near.sock:
                with pytest.raises(TimeoutError):  # it is more than any buffer takes
                    async with asyncio.timeout(0.3):
                        await asyncio.get_running_loop().sock_sendall(near.sock, bytes(1 << 26))
                assert not ended.is_set()  # it waits for as long as the socket is open
            async with asyncio.timeout(_WITHIN_S):
                await ended.wait()


class TestATunnelInUvloop(TestATunnelInAsyncio):
    loop_factory = uvloop.new_event_loop


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = socket.create_connection(listener.getsockname())
        there, _address = listener.accept()
    here.setblocking(False)
    there.setblocking(False)
    return there, here


async def _read_to_the_end(sock: socket.socket) -> None:
    with sock:
        try:
            while await asyncio.get_running_loop().sock_recv(sock, 1 << 16):
                pass
        except ConnectionError:
            pass
