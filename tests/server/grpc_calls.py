"""Calls of gRPC with bytes as messages, as a client makes them that has no stubs."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from tfaas_plugins.protocols.private_pool import message_class

from tfaas_core.testing.server import RunningServer

SERVICE = "inference.GRPCInferenceService"
TIMEOUT_S = 60
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]

InferRequest = message_class("inference.ModelInferRequest")
InferResponse = message_class("inference.ModelInferResponse")
StreamResponse = message_class("inference.ModelStreamInferResponse")


def address(server: RunningServer) -> str:
    """Where the server speaks gRPC."""
    return server.start_line.split("grpc at ")[1].split(",")[0].strip()


@contextmanager
def channel_to(server: RunningServer) -> Iterator[Any]:
    """A connection of its own, so that any worker may take it."""
    options = [*UNLIMITED, ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address(server), options) as channel:
        yield channel


def called(channel: Any, path: str, message: bytes = b"", **options: Any) -> bytes:
    """The answer to one message; raises grpc.RpcError."""
    return bytes(channel.unary_unary(path)(message, **{"timeout": TIMEOUT_S, **options}))


def refused(channel: Any, path: str, message: bytes = b"", **options: Any) -> Any:
    """The error that a call ends with."""
    try:
        answer = called(channel, path, message, **options)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"it was answered: {answer!r}")


def method(name: str) -> str:
    """The path of a method of the Open Inference Protocol."""
    return f"/{SERVICE}/{name}"


INFER = method("ModelInfer")
STREAM = method("ModelStreamInfer")


def infer_request(model: str, values: list[list[float]], **more: Any) -> Any:
    """A request of one raw input ``x`` of FP32."""
    import numpy as np

    array = np.array(values, np.float32)
    tensor = {"name": "x", "datatype": "FP32", "shape": array.shape}
    return InferRequest(
        model_name=model, inputs=[tensor], raw_input_contents=[array.tobytes()], **more
    )


def infer_message(model: str, values: list[list[float]], **more: Any) -> bytes:
    """The same, serialized."""
    return bytes(infer_request(model, values, **more).SerializeToString())


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
