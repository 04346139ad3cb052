"""What stands before the numbers of a message is worked out once, and still what each one says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from tfaas_plugins.grpc_server.call import GrpcCall
from tfaas_plugins.grpc_server.heads import head_of
from tfaas_plugins.protocols.prepared import PreparedMessages
from tfaas_plugins.protocols.private_pool import message_class

from tfaas_core.errors import UnknownVersion
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.target import Target
from tfaas_core.route import ClientAddress, Response
from tfaas_core.storage import MODEL
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.fake_engine import FakeEngine
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.hosts import Answering, host_of
from tfaas_core.testing.loops import in_event_loop

INFER = "/inference.GRPCInferenceService/ModelInfer"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
FLOAT = 1
ONE = TensorSpec("y", "float32", (None, 1))
A, B, C = (TensorSpec(name, "float32", (None, 2)) for name in "abc")


async def answered(host: Host, path: str, message: bytes) -> Response:
    async def read() -> bytes:
        return message

    call = GrpcCall(head_of(path, (), "http"), ClientAddress(), read, host.in_flight)
    response = await host.services().methods[path].passage(call)
    call.give_back()
    return response


def infer(model: str, arrays: dict[str, Array], **more: Any) -> bytes:
    tensors = [
        {"name": name, "datatype": "FP32", "shape": array.shape} for name, array in arrays.items()
    ]
    raw = [array.tobytes() for array in arrays.values()]
    kind = message_class("inference.ModelInferRequest")
    message = kind(model_name=model, inputs=tensors, raw_input_contents=raw, **more)
    return bytes(message.SerializeToString())


def predict(model: str, arrays: dict[str, Array]) -> bytes:
    request = message_class("tensorflow.serving.PredictRequest")()
    request.model_spec.name = model
    for name, array in arrays.items():
        tensor = request.inputs[name]
        tensor.dtype, tensor.tensor_content = FLOAT, array.tobytes()
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
    return bytes(request.SerializeToString())


def inferred(response: Response) -> list[list[float]]:
    assert response.status == 200, response.body
    message = message_class("inference.ModelInferResponse").FromString(response.body)
    return [np.frombuffer(raw, "<f4").tolist() for raw in message.raw_output_contents]


def predicted(response: Response) -> list[list[float]]:
    assert response.status == 200, response.body
    message = message_class("tensorflow.serving.PredictResponse").FromString(response.body)
    return [list(message.outputs[name].float_val) for name in sorted(message.outputs)]


METHODS = [(INFER, infer, inferred), (PREDICT, predict, predicted)]

Make = Callable[[str, dict[str, Array]], bytes]
Values = Callable[[Response], list[list[float]]]


def both(a: Array, b: Array) -> list[Array]:
    return [a + b, a - b]


def models() -> dict[str, Answering]:
    return {
        "plus": FunctionServable(lambda a: a + 1, A, output=B),
        "less": FunctionServable(lambda a: a - 1, A, output=B),
        "both": FunctionServable(both, A, B, outputs=(B, C)),
    }


def row(*values: float) -> Array:
    return np.array([values], np.float32)


@pytest.mark.parametrize(("path", "make", "values"), METHODS)
@in_event_loop
async def test_the_numbers_are_those_of_each_message(path: str, make: Make, values: Values) -> None:
    async with host_of(models=models()) as host:
        for n in range(4):
            for model, more in (("plus", 1), ("less", -1)):
                found = await answered(host, path, make(model, {"a": row(n, 0.5)}))
                assert values(found) == [[n + more, 0.5 + more]]
            found = await answered(host, path, make("both", {"a": row(n, 1), "b": row(2, 3)}))
            assert values(found) == [[n + 2, 4], [n - 2, -2]]


@pytest.mark.parametrize(("path", "make", "values"), METHODS)
@in_event_loop
async def test_what_is_broken_is_told_as_if_it_were_the_first(
    path: str, make: Make, values: Values
) -> None:
    message = make("plus", {"a": row(1, 2)})
    broken = [message[:-1], message + b"\0", message[:-9] + b"\xff" + message[-8:], message[1:]]
    async with host_of(models=models()) as cold:
        expected = [await answered(cold, path, each) for each in broken]
    async with host_of(models=models()) as warm:
        for _ in range(3):
            assert values(await answered(warm, path, message)) == [[2, 3]]
        for each, told in zip(broken, expected, strict=True):
            found = await answered(warm, path, each)
            assert (found.status, found.body) == (told.status, told.body)


@in_event_loop
async def test_a_tensor_that_does_not_end_its_message_is_looked_at_each_time() -> None:
    more = bytes(message_class("inference.ModelInferRequest")(id="7").SerializeToString())
    version = message_class("inference.ModelInferRequest")(model_version="1")
    async with host_of(models=models()) as host:
        for n in range(4):
            message = infer("plus", {"a": row(n, 1)})
            for behind in (more, bytes(version.SerializeToString())):
                assert inferred(await answered(host, INFER, message + behind)) == [[n + 1, 2]]
            # What comes last is not the tensor, though it looks like it.
            text = message_class("inference.ModelInferRequest")(model_name="less")
            renamed = message + bytes(text.SerializeToString())
            assert inferred(await answered(host, INFER, renamed)) == [[n - 1, 0]]


@pytest.mark.parametrize(
    ("path", "make", "values", "renamed"),
    [
        (*METHODS[0], b"\x0a\x04less\x12\x00"),
        (*METHODS[1], b"\x0a\x06\x0a\x04less"),
    ],
)
@in_event_loop
async def test_what_stands_behind_a_tensor_counts_where_longer_ones_came(
    path: str, make: Make, values: Values, renamed: bytes
) -> None:
    async with host_of(models=models()) as host:
        for n in range(4):
            message = make("plus", {"a": row(n, 1)})
            assert values(await answered(host, path, message)) == [[n + 1, 2]]
            longer = make("plus", {"a": np.full((2, 2), n, np.float32)})
            assert len(longer) == len(message + renamed)
            assert values(await answered(host, path, longer)) == [[n + 1] * 4]
            assert values(await answered(host, path, message + renamed)) == [[n - 1, 0]]


@in_event_loop
async def test_a_tensor_that_came_in_parts_is_looked_at_each_time() -> None:
    def part(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    spec = part(1, part(1, b"plus"))
    async with host_of(models=models()) as host:
        for n in range(4):
            tensor = message_class("tensorflow.TensorProto")(dtype=FLOAT)
            tensor.tensor_shape.dim.add(size=1)
            tensor.tensor_shape.dim.add(size=2)
            tensor.tensor_content = row(n, 1).tobytes()
            value = part(2, tensor.SerializeToString())
            for more in (part(2, b""), part(2, part(5, b"")), part(1, b"a")):
                message = spec + part(2, part(1, b"a") + value + more)
                assert predicted(await answered(host, PREDICT, message)) == [[n + 1, 2]]
            # What comes last is what counts.
            content = part(2, part(4, row(n, 7).tobytes()))
            message = spec + part(2, part(1, b"a") + value + content)
            assert predicted(await answered(host, PREDICT, message)) == [[n + 1, 8]]


@in_event_loop
async def test_a_model_that_was_deleted_is_unknown() -> None:
    async with host_of(models=models()) as host:
        for path, make, values in METHODS:
            message = make("less", {"a": row(1, 2)})
            for _ in range(3):
                assert values(await answered(host, path, message)) == [[0, 1]]
        with host.storage.claim("less") as claim:
            host.storage.delete(claim)
        await host.catalog.refresh("less")
        for path, make, _ in METHODS:
            found = await answered(host, path, make("less", {"a": row(1, 2)}))
            assert found.status == 404


class Forgetful(FakeEngine):
    """Cannot load the first version again: its artifact is gone."""

    is_gone = False

    def run(self, version: ModelVersion, *arguments: Any, **more: Any) -> Awaitable[list[Array]]:
        if self.is_gone and version.version == 1:
            raise UnknownVersion("it was removed")
        return super().run(version, *arguments, **more)


@pytest.mark.parametrize(("path", "make", "values"), METHODS)
@in_event_loop
async def test_of_a_version_that_was_removed_the_next_one_is_asked(
    path: str, make: Make, values: Values
) -> None:
    engine = Forgetful()
    adds = FunctionServable(lambda x: x.sum(axis=1, keepdims=True), output=ONE)
    message = make("vk", {"x": row(1, 2, 3)})
    async with host_of(models={"vk": adds}, engine=engine) as host:
        first = host.catalog.get("vk")
        for _ in range(3):
            assert values(await answered(host, path, message)) == [[6]]
        with host.storage.claim("vk") as claim:
            staging = host.storage.stage()
            (staging / MODEL).write_text("sum")
            host.storage.commit(claim, staging, msgspec.structs.replace(first, version=0))
            host.storage.delete_version(claim, 1)
        engine.is_gone = True
        assert values(await answered(host, path, message)) == [[6]]
        assert host.catalog.get("vk").version == 2


def test_so_many_are_kept_and_no_more() -> None:
    kept = PreparedMessages()
    messages = [str(number).encode() + bytes(8) for number in range(5000)]
    for message in messages:
        kept.keep(message, 8, Target("vk"), "a")
    assert 0 < sum(kept.of(message) is not None for message in messages) <= 1024
    kept = PreparedMessages()
    begins = [bytes([size]) * size + bytes(100 - size) for size in range(1, 100)]
    for size, message in enumerate(begins, 1):
        kept.keep(message, 100 - size, Target("vk"), "a")
    assert 0 < sum(kept.of(message) is not None for message in begins) <= 8
