"""Binary tensors that are not very large are answered where no thread has time, and as ever."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES
from tfaas_plugins.protocols import json_text
from tfaas_plugins.protocols.oip.infer import reader
from tfaas_plugins.protocols.oip.infer.answers import JSON_LENGTH
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.served_models import ServedModels

from tests.plugins.protocols.test_prepared_messages import INFER, answered, infer, inferred
from tfaas_core.host import Host
from tfaas_core.predict.prediction import LARGE_ANSWER_BYTES
from tfaas_core.route import Response
from tfaas_core.system.loop.threads import THREADS
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.hosts import Answering, host_of
from tfaas_core.testing.loops import in_event_loop

X, Y = (TensorSpec(name, "float32", (None, 16)) for name in "xy")
TEXT, SIZE = TensorSpec("x", "string", (None,)), TensorSpec("y", "int64", (None,))
FLAT, FIRST = (TensorSpec(name, "float32", (None,)) for name in "xy")
MOST_ROWS = LARGE_ANSWER_BYTES // 64
Ask = Callable[[Host, Array], Awaitable[Response]]


def models() -> dict[str, Answering]:
    return {
        "twice": FunctionServable(lambda x: x + x, X, output=Y),
        "texts": FunctionServable(lambda x: np.array([*map(len, x)], np.int64), TEXT, output=SIZE),
        "flat": FunctionServable(lambda x: x[:1], FLAT, output=FIRST, batch=BatchAxis.NONE),
    }


def rows(count: int) -> Array:
    return np.arange(16 * count, dtype=np.float32).reshape(-1, 16)


def strings(count: int) -> Array:
    return np.array([b"abcd"] * count, object)


async def sent(host: Host, array: Array, **more: object) -> Response:
    """By REST, the answer binary, too."""
    datatype, tail = "FP32", array.tobytes()
    model = "twice" if array.ndim == 2 else "flat"
    if array.dtype == object:
        model, datatype = "texts", "BYTES"
        tail = b"".join(len(each).to_bytes(4, "little") + each for each in array)
    parameters = {"binary_data_size": len(tail)}
    tensor = {"name": "x", "datatype": datatype, "shape": array.shape, "parameters": parameters}
    asked = {"inputs": [tensor], "parameters": {"binary_data_output": True}, **more}
    text = json.dumps(asked).encode()
    path, headers = f"/v2/models/{model}/infer", {JSON_LENGTH: str(len(text))}
    return await FakeLane(host).answer(FakeRequest.of("POST", path, text + tail, headers))


async def named(host: Host, array: Array) -> Response:
    """With an id, so that it is no request that came before."""
    return await sent(host, array, id="1")


async def raw(host: Host, array: Array) -> Response:
    body = array.reshape(-1).tobytes()
    path, headers = "/v2/models/flat/infer", {JSON_LENGTH: "0"}
    return await FakeLane(host).answer(FakeRequest.of("POST", path, body, headers))


async def called(host: Host, array: Array) -> Response:
    return await answered(host, INFER, infer("twice", {"x": array}, id="1"))


async def called_again(host: Host, array: Array) -> Response:
    return await answered(host, INFER, infer("twice", {"x": array}))


async def called_with_strings(host: Host, array: Array) -> Response:
    values = b"".join(len(each).to_bytes(4, "little") + each for each in array)
    kind = message_class("inference.ModelInferRequest")
    tensor = {"name": "x", "datatype": "BYTES", "shape": array.shape}
    message = kind(model_name="texts", inputs=[tensor], raw_input_contents=[values])
    return await answered(host, INFER, message.SerializeToString())


async def called_with_contents(host: Host, array: Array) -> Response:
    request = message_class("inference.ModelInferRequest")(model_name="twice")
    tensor = request.inputs.add(name="x", datatype="FP32", shape=array.shape)
    tensor.contents.fp32_contents.extend(array.reshape(-1))
    return await answered(host, INFER, request.SerializeToString())


async def with_long_text(host: Host, array: Array) -> Response:
    return await sent(host, array, parameters={"note": "n" * MOST_ARRAY_BYTES})


def values_of(response: Response) -> Array:
    assert response.status == 200, response.body
    length = response.headers.get(JSON_LENGTH)
    if length is None:
        (values,) = inferred(response)
        return np.array(values, np.float32)
    return np.frombuffer(response.body[int(length) :], np.float32)


class Busy:
    """In its block, no thread of the host's has time."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._may_end = threading.Event()

    async def __aenter__(self) -> None:
        in_thread, wait = self._host.predictor.in_thread, self._may_end.wait
        self._works = [asyncio.ensure_future(in_thread(wait, kind="oip")) for _ in range(THREADS)]

    async def __aexit__(self, *_: object) -> None:
        self._may_end.set()
        await asyncio.gather(*self._works)


@pytest.mark.parametrize("ask", [sent, named, called])
@in_event_loop
async def test_numbers_wait_for_no_thread(ask: Ask) -> None:
    async with host_of(models=models()) as host, Busy(host):
        for count in (1, MOST_ROWS // 2, MOST_ROWS, 1, MOST_ROWS):
            response = await asyncio.wait_for(ask(host, rows(count)), 30)
            assert np.array_equal(values_of(response), 2 * rows(count).reshape(-1))


@pytest.mark.parametrize("ask", [raw, sent])
@in_event_loop
async def test_nor_do_they_if_they_are_the_whole_body_or_the_answer_is_short(ask: Ask) -> None:
    numbers = np.arange(MOST_ARRAY_BYTES // 4 - 100, dtype=np.float32)
    async with host_of(models=models()) as host, Busy(host):
        response = await asyncio.wait_for(ask(host, numbers), 30)
        assert values_of(response) == [0]


@pytest.mark.parametrize(
    ("ask", "array"),
    [
        (named, rows(MOST_ROWS + 1)),
        (called, rows(MOST_ROWS + 1)),
        (named, np.zeros(MOST_ARRAY_BYTES // 4, np.float32)),
        (named, strings(5000)),
        (called_with_strings, strings(5000)),
        (called_with_contents, rows(1000)),
        (with_long_text, rows(1)),
    ],
)
@in_event_loop
async def test_what_may_take_longer_waits_for_one(ask: Ask, array: Array) -> None:
    async with host_of(models=models()) as host:
        async with Busy(host):
            asking = asyncio.ensure_future(ask(host, array))
            for _ in range(10):
                await asyncio.wait_for(named(host, rows(MOST_ROWS)), 30)
            assert not asking.done()
        assert (await asking).status == 200


@pytest.mark.parametrize("ask", [sent, called_again])
@pytest.mark.parametrize(("count", "written"), [(MOST_ROWS, 2), (MOST_ROWS + 1, 4)])
@in_event_loop
async def test_what_stands_around_numbers_is_written_once_unless_they_take_a_thread(
    ask: Ask, count: int, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    write = ServedModels.written

    async def counted(*arguments: Any, **named: Any) -> Any:
        writes.append(1)
        return await write(*arguments, **named)

    monkeypatch.setattr(ServedModels, "written", counted)
    async with host_of(models=models()) as host:
        for _ in range(4):
            response = await ask(host, rows(count))
            assert np.array_equal(values_of(response), 2 * rows(count).reshape(-1))
    assert len(writes) == written


@in_event_loop
async def test_what_stands_before_strings_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(text: bytes, *how: Any) -> Any:
        read.append(len(text))
        return json_text.read(text, *how)

    monkeypatch.setattr(reader, "read", counted)
    async with host_of(models=models()) as host:
        assert (await sent(host, strings(5000))).status == 200
    assert len(read) == 1


@in_event_loop
async def test_what_is_wrong_is_told_in_the_same_words() -> None:
    async with host_of(models=models()) as host, Busy(host):
        for count in (1, MOST_ROWS):
            response = await asyncio.wait_for(sent(host, rows(count), id=5), 30)
            assert response.status == 400
            assert b"Unable to parse 'id'" in response.body
        message = infer("twice", {"x": rows(MOST_ROWS)}, parameters={"triton_x": {}})
        refused = await asyncio.wait_for(answered(host, INFER, message), 30)
        assert refused.status == 400
        assert b"has no value" in refused.body
