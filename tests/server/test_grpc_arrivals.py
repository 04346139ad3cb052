"""Calls of gRPC that are begun and never ended: what they take, and whom they hold up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc

from tests.server.grpc_calls import INFER, address, called, channel_to, infer_message, method
from tests.server.half_messages import HalfMessage, half_message
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.runtime import HANGS, TRIGGER
from tfaas_core.testing.waiting import until

PORT = "plugins.grpc.port=0"
ONE = "server.workers=1"
WATCH = "/grpc.health.v1.Health/Watch"
ROW = [[1.0, 2.0, 3.0]]
MB = 1_000_000


def test_without_leave_hardly_anything_of_a_message_is_taken(tmp_path: Path) -> None:
    tokens = 'plugins.token_guard.tokens={ alice = "of-alice" }'
    with fake_server(tmp_path, PORT, ONE, tokens) as server:
        for path in (INFER, method("ModelStreamInfer")):
            with half_message(address(server), path, 60 * MB) as call:
                assert call.send(60 * MB) < MB
                assert call.is_over


def test_half_messages_take_no_more_memory_than_they_may(tmp_path: Path) -> None:
    room = f"limits.max_bytes_in_flight={100 * MB}"
    most = f"plugins.grpc.max_message_bytes={60 * MB}"
    with fake_server(tmp_path, PORT, ONE, room, most) as server, ExitStack() as calls:
        (worker,) = server.workers()
        before = worker.memory_info().rss
        half = [
            calls.enter_context(half_message(address(server), INFER, 60 * MB)) for _ in range(6)
        ]
        for call in half:
            call.send(50 * MB)
        until(lambda: any(call.is_answered() for call in half))
        until(lambda: "messages that are still to come have taken" in server.log.read_text())
        until(lambda: worker.memory_info().rss < before + 300 * MB)
        with channel_to(server) as channel:
            assert called(channel, method("ServerLive"))


def test_calls_without_a_message_make_room_for_others(tmp_path: Path) -> None:
    is_over = threading.Event()

    def silence() -> Iterator[bytes]:
        is_over.wait(60)
        yield b""

    most = "limits.max_connections=20"
    with fake_server(tmp_path, PORT, ONE, most) as server, channel_to(server) as channel:
        silent = [channel.stream_unary(INFER).future(silence()) for _ in range(20)]
        with channel_to(server) as other:
            # Until the silent ones are all there, there is room.
            until(lambda: answers(other) and sum(call.done() for call in silent) == 1)
        is_over.set()


def test_connections_without_a_whole_message_make_room_for_others(tmp_path: Path) -> None:
    most = "limits.max_connections=20"
    with fake_server(tmp_path, PORT, ONE, most) as server, ExitStack() as stack:
        watching = stack.enter_context(channel_to(server)).unary_stream(WATCH)(b"")
        next(watching)
        host, _, port = address(server).rpartition(":")
        for number in range(19):
            sock = stack.enter_context(socket.create_connection((host, int(port))))
            if number % 2:
                HalfMessage(sock, INFER, announced=1000)
        with channel_to(server) as other:
            until(lambda: answers(other))
        assert watching.is_active()
        watching.cancel()


def answers(channel: Any) -> bool:
    try:
        return called(channel, method("ServerLive"), wait_for_ready=True) != b""
    except grpc.RpcError:
        return False


def test_a_cancelled_call_gives_its_memory_back(tmp_path: Path) -> None:
    # No deadline ends the call before it is cancelled.
    settings = "limits.max_bytes_in_flight=100000", "server.request_timeout_s=600"
    with fake_server(tmp_path, PORT, *settings, ONE) as server:
        assert server.upload("vk", b"sum").status_code == 200
        assert server.upload("busy", b"hang").status_code == 200
        message = infer_message("vk", ROW, id="x" * 60_000)
        with channel_to(server) as channel:
            assert code_of(channel, message) is None
            hanging = infer_message("busy", [[TRIGGER] * 3], id="x" * 60_000)
            waiting = [channel.unary_unary(INFER).future(hanging)]

            def hangs() -> bool:
                if waiting[-1].done():  # the call before it had not given its memory back yet
                    waiting.append(channel.unary_unary(INFER).future(hanging))
                return HANGS in server.log.read_text()

            until(hangs)
            assert code_of(channel, message) is grpc.StatusCode.UNAVAILABLE
            waiting[-1].cancel()
            until(lambda: code_of(channel, message) is None)


def code_of(channel: Any, message: bytes) -> grpc.StatusCode | None:
    """What an infer call ends with; None: an answer."""
    try:
        called(channel, INFER, message)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return None
