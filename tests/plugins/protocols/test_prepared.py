"""What stands before binary tensors is worked out once, and is still what each request says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.oip.answers import JSON_LENGTH
from tfaas_plugins.protocols.oip.inputs import arrays_of
from tfaas_plugins.protocols.oip.prepared import PreparedRequests
from tfaas_plugins.protocols.oip.requests import infer_body

from tfaas_core.errors import BadBody
from tfaas_core.route import Response
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version

PATH = "/v2/models/vk/infer"


def document(*names: str, datatype: str = "FP32", size: int = 8, **more: Any) -> dict[str, Any]:
    """A request for tensors of two numbers, each of so many bytes."""
    inputs = [
        {
            **{"name": name, "datatype": datatype, "shape": [1, 2]},
            "parameters": {"binary_data_size": size},
        }
        for name in names
    ]
    return {"inputs": inputs, "parameters": {"binary_data_output": True}, **more}


def binary(path: str, asked: dict[str, Any], tail: bytes) -> FakeRequest:
    text = json.dumps(asked).encode()
    return FakeRequest.of("POST", path, text + tail, {JSON_LENGTH: str(len(text))})


def values_of(response: Response) -> list[float]:
    assert response.status == 200, response.body
    length = int(response.headers[JSON_LENGTH])
    return list(np.frombuffer(response.body[length:], np.float32))


def difference(a: Array, b: Array) -> list[Array]:
    return [a - b]


def tensors(*values: float) -> bytes:
    return np.array(values, np.float32).tobytes()


A, B, C = (TensorSpec(name, "float32", (None, 2)) for name in "abc")


@in_event_loop
async def test_the_tensors_are_those_of_each_request() -> None:
    async with host_of(
        models={
            "vk": FunctionServable(difference, A, B, output=C),
            "other": FunctionServable(lambda a, b: [a + b], A, B, output=C),
        }
    ) as host:
        lane = FakeLane(host)
        for n in range(4):
            tail = tensors(n, 10, 1, 2)
            answer = await lane.answer(binary(PATH, document("a", "b"), tail))
            assert values_of(answer) == [n - 1, 8]
            other = await lane.answer(binary("/v2/models/other/infer", document("a", "b"), tail))
            assert values_of(other) == [n + 1, 12]
            swapped = await lane.answer(binary(PATH, document("b", "a"), tail))
            assert values_of(swapped) == [1 - n, -8]


@in_event_loop
async def test_a_tail_of_another_size_is_refused_as_ever() -> None:
    async with host_of(models={"vk": FunctionServable(difference, A, B, output=C)}) as host:
        lane = FakeLane(host)
        for tail in (bytes(15), bytes(17), b""):
            refusals = []
            for _ in range(2):
                response = await lane.answer(binary(PATH, document("a", "b"), tail))
                assert response.status == 400
                refusals.append(response.body)
                await lane.answer(binary(PATH, document("a", "b"), bytes(16)))
            assert len(set(refusals)) == 1


@in_event_loop
async def test_what_is_wrong_with_it_is_told_each_time() -> None:
    async with host_of(models={"vk": FunctionServable(difference, A, B, output=C)}) as host:
        lane = FakeLane(host)
        for asked, sentence in (
            (document("a"), b"missing required"),
            (document("a", "b", datatype="INT32"), b"data-type"),
            (document("a", "b", outputs=[{"name": "odd"}]), b"there is no output"),
            (document("a", "b", parameters={"triton_x": 1}), b"reserved"),
        ):
            for _ in range(3):
                tail = bytes(8 * len(asked["inputs"]))
                response = await lane.answer(binary(PATH, asked, tail))
                assert response.status == 400
                assert sentence in response.body


def kept(asked: dict[str, Any], tail: bytes) -> Any:
    requests, text = PreparedRequests(), json.dumps(asked).encode()
    requests.keep(PATH, text, infer_body(asked, memoryview(tail)))
    return requests.of(PATH, text)


def test_another_version_takes_what_it_takes() -> None:
    prepared, tail = kept(document("a"), bytes(8)), memoryview(tensors(1.5, 2))
    takes = model_version((A,))
    without = model_version((B,))
    integers = model_version((TensorSpec("a", "int32", (None, 2)),))
    needless = model_version((TensorSpec("b", "float32", (None, 2), default=[[0, 0]]),))
    for _ in range(2):
        for version in (takes, model_version((A, A))):
            _, arrays = prepared.read(tail, version, Allowance(Limits()))
            assert arrays["a"].tolist() == [[1.5, 2]]
        for version in (without, integers, needless):
            with pytest.raises(BadBody):
                prepared.read(tail, version, Allowance(Limits()))


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "INT8", "UINT8", "INT64", "UINT16"])
def test_its_arrays_are_those_of_a_closer_look(datatype: str) -> None:
    names = {"FP": "float", "IN": "int", "UI": "uint"}
    bits = datatype.strip("FPUINT")
    dtype = np.dtype(names[datatype[:2]] + bits)
    version = model_version((TensorSpec("a", dtype.name, (None, 2)),))
    asked = document("a", datatype=datatype, size=2 * dtype.itemsize)
    tail = memoryview(bytes(range(2 * dtype.itemsize)))
    prepared = kept(asked, bytes(2 * dtype.itemsize))
    expected = arrays_of(infer_body(asked, tail), version, Allowance(Limits()))["a"]
    for _ in range(2):
        found = prepared.read(tail, version, Allowance(Limits()))[1]["a"]
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("asked", "tail"),
    [
        (document("a", id="7"), bytes(8)),
        (document("a", datatype="BYTES"), bytes(8)),
        (document("a", datatype="BOOL", size=2), bytes(2)),
        (document("a", datatype="BF16", size=4), bytes(4)),
        (document("a" * 1000), bytes(8)),
        ({"inputs": [{"name": "a", "datatype": "FP32", "shape": [1], "data": [1]}]}, b""),
    ],
)
def test_what_needs_a_look_each_time_is_not_kept(asked: dict[str, Any], tail: bytes) -> None:
    assert kept(asked, tail) is None


def test_so_many_are_kept_and_no_more() -> None:
    requests = PreparedRequests()
    body = infer_body(document("a"), memoryview(bytes(8)))
    texts = [str(number).encode() for number in range(5000)]
    for text in texts:
        requests.keep(PATH, text, body)
        assert requests.of(PATH, text) is not None
    assert sum(requests.of(PATH, text) is not None for text in texts) <= 1024
