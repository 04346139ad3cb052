"""Clients of gRPC that send what no client would, or take nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from select import select
from typing import Any

import grpc
import pytest

from tests.server.grpc_calls import INFER, address, called, channel_to, infer_message, method
from tests.server.half_messages import call_frames, opened
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

PORT = "plugins.grpc.port=0"
ONE = "server.workers=1"
ROW = [[1.0, 2.0, 3.0]]
MB = 1_000_000
LIVE = method("ServerLive")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with fake_server(tmp_path_factory.mktemp("hostile"), PORT, ONE) as running:
        assert running.upload("vk", b"sum").status_code == 200
        yield running


def test_a_path_that_is_no_text_is_a_method_that_nobody_serves(server: RunningServer) -> None:
    for path in (b"/\xff\xfe/x", INFER.encode() + b"\xc3", b"", b"*"):
        with closing(opened(address(server))) as sock:
            sock.sendall(call_frames(1, path, b""))
            assert heard(sock, b"unknown_method")
    with channel_to(server) as channel:
        assert called(channel, LIVE)
    assert "Traceback" not in server.log.read_text()


def test_what_clients_send_wrong_fills_no_log(server: RunningServer) -> None:
    before = len(server.log.read_text())
    for field in ((b"foo", b"\xff\xfe"), (b"te", b"x"), (b"grpc-timeout", b"soon")):
        with closing(opened(address(server))) as sock:
            sock.sendall(call_frames(1, LIVE.encode(), b"", field))
            assert heard(sock, b"grpc-status")
    assert server.log.read_text()[before:] == ""


def test_a_call_has_few_fields_of_metadata(server: RunningServer) -> None:
    # The first has its place in HPACK's table, where a byte is each of the others.
    packed = b"\x40\x01a\x01b" + b"\xbe" * 100
    for path in (LIVE, method("ModelStreamInfer")):
        with closing(opened(address(server))) as sock:
            sock.sendall(call_frames(1, path.encode(), b"", packed=packed))
            assert heard(sock, b"100 are the most")
            assert is_ended(sock)
    with channel_to(server) as channel:
        metadata = [("a", "b")] * 90
        assert called(channel, LIVE, metadata=metadata)


def test_a_long_head_holds_up_nobody_though_its_client_acknowledged_no_limit(
    server: RunningServer,
) -> None:
    (worker,) = server.workers()
    before = worker.memory_info().rss
    with channel_to(server) as channel:
        for _ in range(10):
            with closing(opened(address(server))) as sock:
                head = b"\x40\x01a\x01b" + b"\xbe" * 480_000
                sock.sendall(call_frames(1, LIVE.encode(), b"", packed=head))
                assert heard(sock, b"grpc-status")
                assert called(channel, LIVE)
    # Each would be some 30 MB, and a second of computing.
    assert worker.memory_info().rss < before + 50 * MB


def test_a_flood_of_fields_does_not_fill_the_memory(tmp_path: Path) -> None:
    with fake_server(tmp_path, PORT, ONE, f"limits.max_bytes_in_flight={100 * MB}") as server:
        (worker,) = server.workers()
        before = worker.memory_info().rss
        calls = b"".join(
            call_frames(2 * number + 1, LIVE.encode(), b"", packed=b"\x00\x01a\x01b" * 3000)
            for number in range(1000)
        )
        with ExitStack() as open_ones:
            for _ in range(8):
                sock = open_ones.enter_context(closing(opened(address(server))))
                sock.settimeout(0.5)
                with suppress(OSError):
                    sock.sendall(calls)
            with channel_to(server) as channel:
                until(lambda: is_answered(channel, b"", LIVE))
            assert worker.memory_info().rss < before + 600 * MB


def test_answers_that_nobody_takes_have_the_room_of_messages(tmp_path: Path) -> None:
    room = f"limits.max_bytes_in_flight={MB}"
    message = infer_message("vk", ROW, id="x" * 50_000)
    with fake_server(tmp_path, PORT, ONE, room) as server:
        assert server.upload("vk", b"sum").status_code == 200
        with ExitStack() as silent:
            socks = [
                silent.enter_context(closing(opened(address(server), window=0))) for _ in range(30)
            ]
            for sock in socks:
                sock.sendall(call_frames(1, INFER.encode(), message))
            assert heard_by_one_of(socks, b"max_bytes_in_flight")
        with channel_to(server) as channel:
            until(lambda: is_answered(channel, message))


@pytest.mark.parametrize("name", ["ModelInfer", "ModelStreamInfer"])
def test_a_thousand_answers_that_nobody_takes_give_their_room_back(
    tmp_path: Path, name: str
) -> None:
    room = f"limits.max_bytes_in_flight={25 * MB}"
    message = infer_message("vk", ROW, id="x" * 20_000)
    path = method(name).encode()
    with fake_server(tmp_path, PORT, ONE, room, "limits.pace_window_s=2") as server:
        assert server.upload("vk", b"sum").status_code == 200
        with closing(opened(address(server), window=0)) as silent:
            # It may be cut before all are sent.
            with suppress(ConnectionError):
                for number in range(1000):
                    silent.sendall(call_frames(2 * number + 1, path, message))
            assert is_ended(silent)
        with channel_to(server) as channel:
            until(lambda: is_answered(channel, message))
        assert "took too little of their answers" in server.log.read_text()


def test_calls_whose_answers_nobody_takes_are_calls_still(tmp_path: Path) -> None:
    with fake_server(tmp_path, PORT, ONE, "limits.max_connections=20") as server:
        with closing(opened(address(server), window=0)) as sock:
            for number in range(30):
                sock.sendall(call_frames(2 * number + 1, LIVE.encode(), b""))
            assert heard(sock, b"limits.max_connections")
        with channel_to(server) as channel:
            until(lambda: is_answered(channel, b"", LIVE))


def heard(sock: socket.socket, what: bytes) -> bytes:
    """What the server says, up to ``what``, which it has to say."""
    came = b""
    while what not in came:
        piece = sock.recv(65_536)
        assert piece, came[-500:]
        came += piece
    return came


def heard_by_one_of(socks: list[socket.socket], what: bytes) -> bool:
    """Whether the server says it on one of these connections, which it may read in any order."""
    came = dict.fromkeys(socks, b"")
    while not any(what in said for said in came.values()):
        ready = select(socks, [], [], 30)[0]
        assert ready, came.values()
        for sock in ready:
            piece = sock.recv(65_536)
            assert piece, came[sock][-500:]
            came[sock] += piece
    return True


def is_ended(sock: socket.socket) -> bool:
    try:
        while sock.recv(65_536):
            continue
    except ConnectionResetError:
        pass
    return True


def is_answered(channel: Any, message: bytes, path: str = INFER) -> bool:
    try:
        return bool(called(channel, path, message))
    except grpc.RpcError:
        return False
