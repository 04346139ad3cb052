"""A host in this process that is asked whatever its OpenAPI document says that it takes."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from tfaas_plugins.openapi.document import document_of

from tests.fuzz.asked_host import MODELS
from tfaas_core.route import Response
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.hosts import host_of

_URL = "http://host"
_MSGPACK = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")
_TOLD = (501, 503, 504, 507)
"""Statuses of 500 and more that a server of TFaaS means; others are bugs."""

Test = Callable[[], None]


def _packed(_context: Any, value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:  # of integers that the format cannot hold
        return msgspec.msgpack.encode(str(value))


schemathesis.serializer(*_MSGPACK)(_packed)


class OpenApiHost:
    """``tests``: for each operation one of Hypothesis', by its method and path."""

    def __init__(self) -> None:
        self._level = logging.root.manager.disable
        logging.disable(logging.WARNING)
        self._runner = asyncio.Runner()
        self._left = AsyncExitStack()
        host = self._runner.run(self._left.enter_async_context(host_of(models=MODELS)))
        self._lane = FakeLane(host)
        self.document = document_of(host.routes(), host.config.server.base)
        self.tests = {
            f"{method.upper()} {path}": self._test(path, method)
            for path, operations in self.document["paths"].items()
            for method in operations
            if not path.startswith(("/V1", "/V2"))  # as /v1 and /v2 are
        }

    def _test(self, path: str, method: str) -> Test:
        said = self.document["paths"][path][method]
        components = self.document["components"]
        own = {**self.document, "paths": {path: {method: said}}, "components": components}
        schema = schemathesis.openapi.from_dict(own)

        @settings(
            max_examples=2,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=schema[path][method].as_strategy())
        def test(case: Any) -> None:
            self._ask(case, said)

        return test

    def _ask(self, case: Any, said: Mapping[str, Any]) -> None:
        if "name" in case.path_parameters and len(case.path_parameters["name"]) % 2:
            # Else hardly any request would come to a model.
            case.path_parameters["name"] = random.Random(case.path_parameters["name"]).choice(
                [*MODELS]
            )
        asked = requests.Request(**case.as_transport_kwargs(base_url=_URL)).prepare()
        body = _bytes(asked.body)
        headers = {name: _bytes(value).decode("latin-1") for name, value in asked.headers.items()}
        request = FakeRequest.of(case.method, (asked.url or "").removeprefix(_URL), body, headers)
        _check(self._runner.run(self._lane.answer(request)), said)

    def end(self) -> None:
        """Once nothing more is to be asked."""
        self._runner.run(self._left.aclose())
        self._runner.close()
        logging.disable(self._level)


def _bytes(sent: object) -> bytes:
    if isinstance(sent, str):
        return sent.encode()
    assert sent is None or isinstance(sent, bytes)
    return sent or b""


def _check(response: Response, said: Mapping[str, Any]) -> None:
    """Its status and its media type are in the document, and an error has a sentence."""
    status, told = str(response.status), said["responses"]
    assert response.status < 500 or response.status in _TOLD, (status, response.body)
    assert status in told, (status, response.body)
    if response.status >= 400:
        error = json.loads(response.body)
        assert error.get("error") or error.get("status"), response.body
        return
    if response.status >= 300:
        return
    media_type = response.media_type.partition(";")[0]
    assert not {media_type, "*/*"}.isdisjoint(told[status]["content"]), media_type
