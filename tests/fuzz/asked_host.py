"""A host in this process, whose models answer what they are asked, and its requests."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import cache

import numpy as np

from tfaas_core.route import Response
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.hosts import Answering, host_of

_REFUSALS = (400, 404, 413, 415, 504)


def _same(*names_and_dtypes: str, shape: tuple[int | None, ...] | None = (None,)) -> Answering:
    """A model that answers its inputs."""
    pairs = [text.split(":") for text in names_and_dtypes]
    specs = [TensorSpec(name, dtype, shape) for name, dtype in pairs]
    outputs = [TensorSpec(f"of_{spec.name}", spec.dtype, shape) for spec in specs]
    return FunctionServable(lambda *arrays: list(arrays), *specs, outputs=outputs)


def _scored(inputs: Array) -> list[Array]:
    return [np.array([[len(each), 0.5] for each in inputs.flat], np.float32).reshape(-1, 2)]


_SCORES = TensorSpec("scores", "float32", (None, 2))

MODELS: Mapping[str, Answering] = {
    "floats": _same("x:float32"),
    "integers": _same("x:int64"),
    "bytes": _same("x:uint8"),
    "flags": _same("x:bool"),
    "halves": _same("x:float16"),
    "texts": _same("x:string"),
    "two": _same("x:float32", "y:string"),
    "scores": FunctionServable(_scored, TensorSpec("inputs", "string", (None,)), outputs=[_SCORES]),
}


class AskedHost:
    """Answers until its ``end``."""

    def __init__(self) -> None:
        self._level = logging.root.manager.disable
        logging.disable(logging.WARNING)
        self._runner = asyncio.Runner()
        self._left = AsyncExitStack()
        host = self._runner.run(self._left.enter_async_context(host_of(models=MODELS)))
        self._lane = FakeLane(host)

    def answer(
        self, path: str, body: bytes, headers: Mapping[str, str] = {}, packed: bool = False
    ) -> Response:
        """What a POST gets: what was asked for, or an error of the client's, as JSON."""
        if packed:
            body, headers = gzip.compress(body, 1), {**headers, "Content-Encoding": "gzip"}
        request = FakeRequest.of("POST", path, body, headers)
        response = self._runner.run(self._lane.answer(request))
        if response.status != 200:
            assert response.status in _REFUSALS, (response.status, response.body)
            error = json.loads(response.body)["error"]
            assert error
            assert type(error) is str
        return response

    def end(self) -> None:
        """Once nothing more is to be asked."""
        self._runner.run(self._left.aclose())
        self._runner.close()
        logging.disable(self._level)


@cache
def asked_host() -> AskedHost:
    """The one that targets share."""
    return AskedHost()


def end() -> None:
    """Once nothing more is to be checked."""
    asked_host().end()
    asked_host.cache_clear()
