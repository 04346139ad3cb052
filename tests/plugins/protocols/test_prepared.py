"""What stands beside numbers is worked out once, and is still what each request says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.protocols.oip.infer.answers import JSON_LENGTH
from tfaas_plugins.protocols.oip.infer.prepared import PreparedBinary, PreparedLists
from tfaas_plugins.protocols.oip.infer.requests import infer_body
from tfaas_plugins.protocols.oip.infer.usual_body import usual_body
from tfaas_plugins.protocols.prepared import Prepared, raw_inputs

from tfaas_core import Answered, Observer, hookimpl
from tfaas_core.predict.inference import InferenceRequest
from tfaas_core.predict.target import Target
from tfaas_core.route import Response
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec
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


def listed(path: str, values: Any, separators: tuple[str, str] = (",", ":")) -> FakeRequest:
    tensor = {"name": "a", "datatype": "FP32", "shape": [1, 2], "data": values}
    text = json.dumps({"inputs": [tensor]}, separators=separators)
    return FakeRequest.of("POST", path, text.encode())


def data_of(response: Response) -> list[float]:
    assert response.status == 200, response.body
    (output,) = json.loads(response.body)["outputs"]
    data: list[float] = output["data"]
    return data


def values_of(response: Response) -> list[float]:
    assert response.status == 200, response.body
    length = int(response.headers[JSON_LENGTH])
    return list(np.frombuffer(response.body[length:], np.float32))


def difference(a: Array, b: Array) -> list[Array]:
    return [a - b]


def tensors(*values: float) -> bytes:
    return np.array(values, np.float32).tobytes()


def doubled() -> FunctionServable:
    return FunctionServable(lambda a: a + a, A, output=B)


ANY = TensorSpec("y", "float32", (None, None))
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
async def test_json_that_is_announced_longer_than_the_body_is_refused_as_ever() -> None:
    asked = document("a", size=0)
    asked["inputs"][0]["shape"] = [0, 2]
    request = binary(PATH, asked, b"")
    longer = {JSON_LENGTH: str(len(request.body) + 1)}
    async with host_of(models={"vk": doubled()}) as host:
        lane = FakeLane(host)
        for _ in range(3):
            assert (await lane.answer(request)).status == 200
            response = await lane.answer(FakeRequest.of("POST", PATH, request.body, longer))
            assert response.status == 400
            assert b"inference header size should be in range" in response.body


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


@in_event_loop
async def test_a_list_is_that_of_each_request() -> None:
    async with host_of(
        models={"vk": doubled(), "negated": FunctionServable(np.negative, A)}
    ) as host:
        lane = FakeLane(host)
        for spaces in (", ", ": "), (",", ":"):
            for n in range(4):
                for path, factor in ((PATH, 2), ("/v2/models/negated/infer", -1)):
                    answer = await lane.answer(listed(path, [n, 0.5], spaces))
                    assert data_of(answer) == [n * factor, factor / 2]


OTHER_LISTS = [
    *("[1]", "[1,2,3]", "[]", "[true,2]", "[null,1]", '["1",2]', "[1,[2]]", "[[1,2]]", "[1,2"),
    *("[1e999,1]", "[1e39,1]", "[1,2],[3]", '[1,2],"data":[3,4]', "[1,2]}", "{}", "[1 2]", "[-,1]"),
    *("[NaN,1]", '[1,2],"parameters":{"data":[7]}'),
]


@in_event_loop
async def test_any_other_list_is_answered_as_if_it_were_the_first() -> None:
    text = listed(PATH, "LIST").body.decode()
    requests = [
        FakeRequest.of("POST", PATH, text.replace('"LIST"', spelt).encode())
        for spelt in OTHER_LISTS
    ]
    async with host_of(models={"vk": doubled()}) as cold:
        expected = [await FakeLane(cold).answer(request) for request in requests]
    async with host_of(models={"vk": doubled()}) as warm:
        lane = FakeLane(warm)
        for n in range(3):
            assert data_of(await lane.answer(listed(PATH, [n, n]))) == [2 * n, 2 * n]
        for request, told in zip(requests, expected, strict=True):
            found = await lane.answer(request)
            assert (found.status, found.body) == (told.status, told.body), request.body
        assert data_of(await lane.answer(listed(PATH, [4, 5]))) == [8, 10]


@pytest.mark.parametrize(
    "text",
    [
        '{"inputs":[{"name":"a","datatype":"FP32","shape":[1,2],"data":LIST}],"id":"7"}',
        '{"inputs":[{"name":"a","datatype":"FP32","shape":[1,2],"data":LIST,"data":[1,2]}]}',
        '{"inputs":[{"name":"a","datatype":"FP32","shape":[1,2],"data":LIST,"d\\u0061ta":[1,2]}]}',
        '{"inputs":[{"name":"a\\"data","datatype":"FP32","shape":[1,2],"data":LIST}]}',
        '{"parameters":{"data":"[1]"},"inputs":[{"name":"a","datatype":"FP32","shape":[1],"data":[1]}]}',
        '{"inputs":[{"data":LIST,"name":"a","datatype":"FP32","shape":[1,2]}],"inputs":[]}',
        '{"inputs":[{"data":[1],"name":"a","datatype":"FP32","shape":[1]},'
        '{"data":[1],"name":"b","datatype":"FP32","shape":[1]}]}',
        '{"inputs":[{"name":"' + "a" * 1000 + '","datatype":"FP32","shape":[1,2],"data":LIST}]}',
    ],
)
def test_a_list_that_may_be_another_is_looked_at_each_time(text: str) -> None:
    lists, body = PreparedLists(), text.replace("LIST", "[1,2]").encode()
    usual = usual_body(body, Limits())
    assert usual is not None
    lists.keep(PATH, body, Target("vk"), usual)
    assert lists.of(PATH, body) is None


@in_event_loop
async def test_numbers_that_json_has_no_word_for_are_answered_as_ever() -> None:
    async with host_of(models={"vk": FunctionServable(np.log, A, output=B)}) as host:
        lane = FakeLane(host)
        with np.errstate(all="ignore"):
            first = await lane.answer(listed(PATH, [-1, 1]))
            for _ in range(3):
                assert data_of(await lane.answer(listed(PATH, [1, 1]))) == [0, 0]
            assert (await lane.answer(listed(PATH, [-1, 1]))).body == first.body


@in_event_loop
async def test_answers_of_other_shapes_are_told_as_such() -> None:
    def as_many(a: Array) -> Array:
        return np.ones((int(a[0, 0]), 1), np.float32)

    takes = FunctionServable(as_many, A, output=ANY, batch=BatchAxis.NONE)
    async with host_of(models={"vk": takes}) as host:
        lane = FakeLane(host)
        for count in (1, 1, 1, 3, 1, 2):
            answer = await lane.answer(binary(PATH, document("a"), tensors(count, 0)))
            assert values_of(answer) == [1] * count


@in_event_loop
async def test_observers_and_statistics_are_told_of_each_request() -> None:
    class Watching(Observer):
        def __init__(self) -> None:
            self.told: list[tuple[Any, ...]] = []

        def answered(self, event: Answered) -> None:
            self.told.append((event.codec, event.model, event.version, event.rows, event.status))

    class Plugin:
        @hookimpl
        def tfaas_register_observers(self) -> Iterable[Observer]:
            return [watching]

    watching = Watching()
    async with host_of([Plugin()], {"vk": doubled()}) as host:
        lane = FakeLane(host)
        for n in range(4):
            await lane.answer(listed(PATH, [n, n]))
        stats = await lane.answer(FakeRequest.of("GET", "/v2/models/vk/stats"))
    assert set(watching.told[:4]) == {("oip", "vk", 1, 1, 200)}
    (found,) = json.loads(stats.body)["model_stats"]
    assert (found["inference_count"], found["execution_count"]) == (4, 4)


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
    requests, text = PreparedBinary(), json.dumps(asked).encode()
    requests.keep(PATH, text, Target("vk"), infer_body(asked, memoryview(tail)))
    assert requests.of(PATH, text) is None


def test_so_many_are_kept_and_no_more() -> None:
    requests = PreparedBinary()
    body = infer_body(document("a"), memoryview(bytes(8)))
    texts = [str(number).encode() for number in range(5000)]
    for text in texts:
        requests.keep(PATH, text, Target("vk"), body)
        assert requests.of(PATH, text) is not None
    assert sum(requests.of(PATH, text) is not None for text in texts) <= 1024


def test_a_plan_is_for_one_version_and_another_has_its_own() -> None:
    first, second = model_version((A,), (B,)), model_version((A,), (B,))
    array = np.zeros((1, 2), np.float32)
    prepared = Prepared[str](Target("vk"), raw_inputs(8, {"a": 0}))
    for version, other in ((first, second), (second, first)):
        asked = InferenceRequest(version, Bound({"a": array}, 1, single=False))
        prepared.learn(asked, (), asked.result([array]), "answer", lambda: None)
        assert prepared.plan(version) is not None
        assert prepared.plan(other) is None
