"""Clients of gRPC that send a byte now and then do not hold a call for ever; others stay."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import grpc
import pytest

from tests.server.grpc_calls import (
    INFER,
    STREAM,
    Conversation,
    address,
    called,
    channel_to,
    infer_message,
    method,
)
from tests.server.half_messages import HalfMessage, call_frames, half_message, opened
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.runtime import HANGS, TRIGGER
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

SETTINGS = ("plugins.grpc.port=0", "server.workers=1", "server.request_timeout_s=600")
QUICK = ("limits.pace_window_s=0.5", "limits.min_bytes_per_s=1000")
ROW = [[1.0, 2.0, 3.0]]
LIVE = method("ServerLive")
WATCH = "/grpc.health.v1.Health/Watch"
TOLD = b"limits.min_bytes_per_s"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with fake_server(tmp_path_factory.mktemp("pace"), *SETTINGS, *QUICK) as running:
        assert running.upload("vk", b"sum").status_code == 200
        assert running.upload("busy", b"hang").status_code == 200
        yield running


@pytest.mark.parametrize(("path", "is_one_frame"), [(INFER, True), (STREAM, False), (WATCH, False)])
def test_a_message_that_comes_a_byte_at_a_time_ends_its_connection(
    server: RunningServer, path: str, is_one_frame: bool
) -> None:
    with closing(opened(address(server))) as sock:
        head = call_frames(1, path.encode(), b"")[:-14]
        begins = struct.pack(">BI", 0, 10_000)
        if is_one_frame:
            sock.sendall(head + data_frame(10_005) + begins)
            told = dribbled(sock, b"x")
        else:
            sock.sendall(head + data_frame(5) + begins)
            told = dribbled(sock, data_frame(1) + b"x")
        assert TOLD in told
    assert "sent their messages too slowly" in server.log.read_text()


def test_a_call_that_begins_no_message_ends_and_others_of_its_connection_go_on(
    server: RunningServer,
) -> None:
    is_over = threading.Event()

    def silence() -> Iterator[bytes]:
        is_over.wait(60)
        yield b""

    with channel_to(server) as channel:
        silent = channel.stream_unary(INFER).future(silence())
        assert silent.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "did not come in time" in silent.details()
        assert ("tfaas-code", "http_refused") in silent.trailing_metadata()
        assert called(channel, LIVE)
        is_over.set()


def test_idle_streams_and_calls_that_wait_for_their_answers_stay(server: RunningServer) -> None:
    with channel_to(server) as channel:
        watching = channel.unary_stream(WATCH)(b"")
        next(watching)
        waiting = channel.unary_unary(INFER).future(infer_message("busy", [[TRIGGER] * 3]))
        until(lambda: HANGS in server.log.read_text())
        stream = Conversation(channel)
        for _ in range(2):
            stream.say(infer_message("vk", ROW))
            assert stream.hear().infer_response.model_name == "vk"
            pass_windows(server)
        assert watching.is_active()
        assert not waiting.done()
        waiting.cancel()
        watching.cancel()
        stream.end()


def test_a_message_that_the_server_has_not_asked_for_may_wait(server: RunningServer) -> None:
    hanging = infer_message("busy", [[TRIGGER] * 3])
    # More than gRPC's library takes while others of the stream are at work.
    long = infer_message("vk", ROW, id="x" * 200_000)
    with channel_to(server) as channel:
        idle = Conversation(channel)
        idle.say(infer_message("vk", ROW))
        assert idle.hear()
        stream = channel.stream_stream(STREAM)(iter([hanging] * 17 + [long]))
        pass_windows(server)
        assert stream.is_active()
        stream.cancel()
        idle.end()


def test_a_message_that_nobody_wants_any_more_may_stay_unfinished(server: RunningServer) -> None:
    host, _, port = address(server).rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as sock:
        half = HalfMessage(sock, "/nobody/Serves", announced=1000)
        half.send(500)
        until(half.is_answered)
        pass_windows(server)
        sock.sendall(call_frames(3, LIVE.encode(), b""))
        came = b""
        while b"\x08\x01" not in came:  # it is live
            came += (piece := sock.recv(65_536))
            assert piece


def data_frame(size: int) -> bytes:
    """How one begins, of the first call of a connection."""
    return struct.pack(">IBBI", size, 0, 0, 1)[1:]


def pass_windows(server: RunningServer) -> None:
    """Until two other clients have been let go of, one after the other."""
    for _ in range(2):
        with half_message(address(server), INFER, 1000) as slow:
            slow.send(6)
            until(slow.is_answered)


def dribbled(sock: socket.socket, piece: bytes) -> bytes:
    """What the server says while ``piece`` comes again and again, until it hangs up."""
    sock.settimeout(0.02)
    came = b""
    while True:
        try:
            with suppress(ConnectionError):  # what it said before may be there still
                sock.sendall(piece)
            said = sock.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionError:
            return came
        if not said:
            return came
        came += said
