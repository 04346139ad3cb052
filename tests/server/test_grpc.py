"""gRPC, as clients and operators see it, whatever services there are."""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.server.grpc_calls import (
    INFER,
    SERVICE,
    InferResponse,
    StreamResponse,
    called,
    channel_to,
    infer_message,
    method,
    refused,
)
from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

PORT = "plugins.grpc.port=0"
ROW = [[1.0, 2.0, 3.0]]
CHECK = "/grpc.health.v1.Health/Check"
STREAM = method("ModelStreamInfer")
OF_BOB = sha256(b"of-bob").hexdigest()
TOKENS = (
    'plugins.token_guard.tokens={ alice = "of-alice", bob = { '
    f'sha256 = "{OF_BOB}", rights = ["predict"], models = ["other"] }} }}'
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("grpc")
    limits = "plugins.grpc.max_message_bytes=1000000", "limits.pace_window_s=2"
    with fake_server(folder, PORT, "plugins.access_log.enabled=true", *limits) as running:
        assert running.upload("vk", b"sum").status_code == 200
        assert running.upload("slow", b"sleep 0.5").status_code == 200
        yield running


@pytest.fixture
def channel(server: RunningServer) -> Iterator[Any]:
    with channel_to(server) as made:
        yield made


def sums(message: bytes) -> list[float]:
    import numpy as np

    (raw,) = InferResponse.FromString(message).raw_output_contents
    return [float(value) for value in np.frombuffer(raw, np.float32)]


# Health and reflection.


def test_health_is_that_of_the_server_for_each_service(channel: Any) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", SERVICE, "GRPCInferenceService", "grpc.health.v1.Health"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    unknown = health_pb2.HealthCheckRequest(service="nobody's")
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(unknown)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watching = health.Watch(unknown)
    assert next(watching).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watching.cancel()


def test_reflection_tells_services_and_their_messages(channel: Any) -> None:
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services="*"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.Such"),
    ]
    listed, described, unknown = reflection.ServerReflectionInfo(iter(asked))
    names = {each.name for each in listed.list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health"} <= names
    files = described.file_descriptor_response.file_descriptor_proto
    messages = [
        each.name for file in files for each in FileDescriptorProto.FromString(file).message_type
    ]
    assert "ModelInferRequest" in messages
    assert "ModelConfig" in messages
    assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


# Calls.


def test_a_call_is_answered_by_the_model(channel: Any) -> None:
    assert sums(called(channel, INFER, infer_message("vk", ROW))) == [6.0]


def test_metadata_carry_the_id_both_ways_and_logs_have_it(
    server: RunningServer, channel: Any
) -> None:
    call = channel.unary_unary(INFER)
    metadata = (("x-request-id", "mine"),)
    _answer, ended = call.with_call(infer_message("vk", ROW), metadata=metadata)
    assert ("x-request-id", "mine") in [tuple(each) for each in ended.trailing_metadata()]
    error = refused(channel, INFER, infer_message("nobody", ROW), metadata=metadata)
    told = dict(error.trailing_metadata())
    assert (told["x-request-id"], told["tfaas-code"]) == ("mine", "not_found")
    until(lambda: re.search(rf"POST {INFER} 200 .*id=mine\b", server.log.read_text()) is not None)


def test_what_nobody_serves_is_unimplemented(channel: Any) -> None:
    for path in ("/no.Service/Method", method("SystemSharedMemoryStatus"), method("TraceSetting")):
        error = refused(channel, path)
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        assert (
            error.details()
            == "nobody serves this method here; reflection lists those that there are"
        )


def test_rubbish_is_the_clients_error(channel: Any) -> None:
    for path in (INFER, CHECK, method("ModelReady"), method("RepositoryIndex")):
        for message in (b"\xff\x00", b"\x0a\x02\xff\xfe", bytes(range(256)) * 300):
            code = refused(channel, path, message).code()
            assert code in (
                grpc.StatusCode.INVALID_ARGUMENT,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            ), path
    assert called(channel, method("ServerLive"))


def test_a_message_beyond_the_limit_is_refused_before_it_is_there(channel: Any) -> None:
    error = refused(channel, INFER, bytes(1_000_001))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert called(channel, method("ServerLive"))


def test_a_deadline_ends_a_call_and_the_model_is_free_again(channel: Any) -> None:
    error = refused(channel, INFER, infer_message("slow", ROW), timeout=0.1)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert called(channel, INFER, infer_message("slow", ROW))


# Who may do what.


def test_guards_and_limits_hold_as_for_http(tmp_path: Path) -> None:
    rate = 'plugins.rate_limit.identity="2 per 300 days"'
    with fake_server(tmp_path, PORT, TOKENS, rate) as server:
        alice = {"Authorization": "Bearer of-alice"}
        files = {"model": ("model.pb", b"sum")}
        stored = server.http.post("/upload", data={"name": "vk"}, files=files, headers=alice)
        assert stored.status_code == 200
        message = infer_message("vk", ROW)
        with channel_to(server) as channel:
            assert refused(channel, INFER, message).code() is grpc.StatusCode.UNAUTHENTICATED
            assert called(channel, CHECK), "health is for everybody"
            by_bob = (("authorization", "Bearer of-bob"),)
            error = refused(channel, INFER, message, metadata=by_bob)
            assert error.code() is grpc.StatusCode.PERMISSION_DENIED
            by_alice = (("authorization", "Bearer of-alice"),)
            for _ in range(2):
                assert sums(called(channel, INFER, message, metadata=by_alice)) == [6.0]
            error = refused(channel, INFER, message, metadata=by_alice)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            told = dict(error.trailing_metadata())
            assert int(told["grpc-retry-pushback-ms"]) == int(told["retry-after"]) * 1000 > 0


def test_what_manages_is_not_here_if_there_is_a_port_for_it(tmp_path: Path) -> None:
    control = "plugins.oip.model_control=true"
    with (
        fake_server(tmp_path, PORT, control, "server.admin_port=0") as server,
        channel_to(server) as channel,
    ):
        error = refused(channel, method("RepositoryModelUnload"))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "server.admin_port" in error.details()
        assert called(channel, method("ServerReady"))


# Streams.


def messages(*models: str) -> list[bytes]:
    return [infer_message(model, ROW, id=str(n)) for n, model in enumerate(models)]


def test_a_stream_answers_in_order_and_goes_on_after_errors(channel: Any) -> None:
    sent = [*messages(*["vk", "slow", "nobody"] * 10), b"\xff\xff"]
    answers = [
        StreamResponse.FromString(each) for each in channel.stream_stream(STREAM)(iter(sent))
    ]
    assert [each.infer_response.id for each in answers] == [*map(str, range(30)), ""]
    wrong = [bool(each.error_message) for each in answers]
    assert wrong == [*[False, False, True] * 10, True]


def test_a_thousand_streams_are_open_at_once(server: RunningServer) -> None:
    with channel_to(server) as channel:
        streams = [Conversation(channel) for _ in range(1000)]
        for stream in streams:
            stream.say(infer_message("vk", ROW, id="a"))
        assert all(stream.hear().infer_response.id == "a" for stream in streams)
        for stream in streams:
            stream.end()


def test_a_client_that_takes_nothing_is_cut_and_holds_up_nobody(
    server: RunningServer, channel: Any
) -> None:
    def many() -> Iterator[bytes]:
        yield from [infer_message("vk", ROW, id="x" * 100_000)] * 500

    answers = channel.stream_stream(STREAM)(many())
    assert next(answers)
    begin_s = time.monotonic()
    with channel_to(server) as other:
        while answers.is_active():
            assert sums(called(other, INFER, infer_message("vk", ROW))) == [6.0]
            assert time.monotonic() < begin_s + 30
    assert answers.code() is grpc.StatusCode.UNAVAILABLE


class Conversation:
    """A stream of which one side says what the other answers."""

    def __init__(self, channel: Any, path: str = STREAM) -> None:
        self._said: Any = queue.SimpleQueue()
        self._answers = channel.stream_stream(path)(iter(self._said.get, None))

    def say(self, message: bytes) -> None:
        self._said.put(message)

    def hear(self) -> Any:
        return StreamResponse.FromString(next(self._answers))

    def end(self) -> None:
        self._said.put(None)
        assert list(self._answers) == []


def test_at_a_stop_calls_are_answered_and_streams_end(tmp_path: Path) -> None:
    with (
        fake_server(tmp_path, PORT, "server.workers=1") as server,
        channel_to(server) as channel,
    ):
        assert server.upload("slow", b"sleep 0.5").status_code == 200
        stream = Conversation(channel)
        stream.say(infer_message("slow", ROW))
        assert not stream.hear().error_message
        watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
        begun = channel.unary_unary(INFER).future(infer_message("slow", ROW))
        # It is behind the other one on the same connection.
        assert called(channel, method("ServerLive"))
        assert server.stop() == 0
        assert sums(begun.result()) == [6.0]
        assert next(watching).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError, match="the server was told to stop"):
            stream.hear()
