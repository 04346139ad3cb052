"""Hosts in the process of a test: plugins, models, uploads and guards, without HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfaas_core.errors import PluginError, Unauthorized
from tfaas_core.guard import Asking, Guard
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.route import Request, Response, Route, json_response
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.fake_engine import FakeEngine
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.hosts import FakeModel, host_of
from tfaas_core.testing.loops import in_event_loop


def predict(model: str, values: object) -> FakeRequest:
    return FakeRequest.of("POST", "/json", json.dumps({"model": model, "values": values}).encode())


def double(x: Array) -> Array:
    return 2 * x


@in_event_loop
async def test_a_function_is_a_model() -> None:
    engine = FakeEngine()
    async with host_of(models={"vk": double}, engine=engine) as host:
        lane = FakeLane(host)
        answer = await lane.answer(predict("vk", [1, 2, 3]))
        assert (answer.status, answer.body) == (200, b"[2.0,4.0,6.0]")
        assert answer.headers == {"TFaaS-Model": "vk/1"}
        answer = await lane.answer(FakeRequest.of("POST", "/json", b'{"values": [[1, 2, 3]]}'))
        assert answer.body == b"[[2.0,4.0,6.0]]"
    assert [name for name, _ in engine.runs] == ["vk", "vk"]


@in_event_loop
async def test_a_model_has_params_and_labels_and_any_signature() -> None:
    servable = FunctionServable(
        lambda x: x.sum(axis=1, keepdims=True),
        TensorSpec("x", "float32", (1, 2)),
        batch=BatchAxis.ONE,
    )
    model = FakeModel(servable, {"features": ["a", "b"]}, ["higgs"])
    async with host_of(models={"vk": model}) as host:
        body = b'{"keys": ["b", "a"], "values": [[1, 2], [3, 4]]}'
        answer = await FakeLane(host).answer(FakeRequest.of("POST", "/json", body))
        assert answer.body == b"[[3.0],[7.0]]"
        (stored,) = host.storage.list()
        assert stored.live.labels == ("higgs",)
    assert servable.closed


@in_event_loop
async def test_errors_are_answered_as_over_http() -> None:
    async with host_of(models={"vk": double}) as host:
        lane = FakeLane(host)
        answers = [
            await lane.answer(predict("nobody", [1])),
            await lane.answer(predict("vk", ["x"])),
            await lane.answer(FakeRequest.of("GET", "/json")),
            await lane.answer(FakeRequest.of("GET", "/nowhere?x=1")),
        ]
    assert [answer.status for answer in answers] == [404, 422, 405, 404]


class Greeting:
    """A plugin that greets, and asks for a name."""

    @hookimpl
    def tfaas_register_routes(self, host: Host) -> Iterable[Route]:
        async def greet(request: Request) -> Response:
            loud = request.query.get("loud", "")
            return json_response([request.path_fields["who"], loud, request.body.decode()])

        return [Route("/greet/{who}", ("POST",), greet)]

    @hookimpl
    def tfaas_register_guards(self, host: Host) -> Iterable[Guard]:
        return [NameGuard()]


class NameGuard(Guard):
    asked = 0

    async def admit(self, asking: Asking) -> str:
        self.asked += 1
        if "x-name" not in asking.head.headers:
            raise Unauthorized(f"who are you, number {self.asked}? Send X-Name")
        return asking.head.headers["x-name"]


@in_event_loop
async def test_a_plugin_may_be_an_object_and_guards_are_asked() -> None:
    async with host_of(plugins=[Greeting()]) as host:
        lane = FakeLane(host)
        request = FakeRequest.of("POST", "/greet/a%20b?loud=1", b"hi", {"X-Name": "alice"})
        answer = await lane.answer(request)
        assert (answer.status, answer.body) == (200, b'["a b","1","hi"]\n')
        answer = await lane.answer(FakeRequest.of("POST", "/greet/a"))
        assert answer.status == 401
        assert b"number 2" in answer.body
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@in_event_loop
async def test_a_broken_plugin_is_named() -> None:
    class Wrong:
        @hookimpl
        def tfaas_register_codecs(self) -> Any:
            return ["csv"]

    with pytest.raises(PluginError, match="Wrong"):
        async with host_of(plugins=[Wrong()]):
            pass


@in_event_loop
async def test_an_upload_is_loaded_by_the_fake_runtime(tmp_path: Path) -> None:
    form = (
        b'--x\r\ncontent-disposition: form-data; name="name"\r\n\r\nvk\r\n'
        b'--x\r\ncontent-disposition: form-data; name="model"; filename="m.pb"\r\n\r\nsum\r\n'
        b"--x--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with host_of(folder=tmp_path) as host:
        lane = FakeLane(host)
        answer = await lane.answer(FakeRequest.of("POST", "/upload", form, headers))
        assert answer.status == 200, answer.body
        answer = await lane.answer(predict("vk", [1, 2, 3]))
        assert answer.body == b"[6.0]"
    assert list(tmp_path.iterdir())


@in_event_loop
async def test_a_handler_can_be_called_alone() -> None:
    request = FakeRequest.of("GET", "/x/1?q=2", b"body", {"X-A": "b"}, {"n": "1"})
    assert (request.method, request.path, request.query["q"]) == ("GET", "/x/1", "2")
    assert (request.headers["x-a"], request.path_fields["n"]) == ("b", "1")
    assert b"".join([piece async for piece in request.stream()]) == b"body"
    assert np.isfinite(request.client.port)
