"""The private parts of Sanic are where they were, and do what they did.

Where one of these fails with a new Sanic, it says what has moved. That the whole works is what the
other tests here say.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from sanic import HTTPResponse, Sanic
from sanic.exceptions import SanicException

from tests.core.http.served import SANICS, Served, serve
from tfaas_core import http
from tfaas_core.http.protocol import TfaasProtocol
from tfaas_core.http.sanic_parts import SanicProtocol, has_body, head_bytes
from tfaas_core.route import Request, Response

HTTP = Path(http.__file__).parent
PARTS = {HTTP / f"{name}.py" for name in ("sanic_parts", "sanic_server", "sanic_stream")}

PUBLIC = {"sanic", "sanic.exceptions", "sanic.request"}
"""The modules that the documentation of Sanic names."""

ATTRIBUTES = {
    "sanic.application.state:ApplicationServerInfo": ["settings"],
    "sanic.application.state:ApplicationState": ["primary", "server_info"],
    "sanic.headers:format_http1_response": [],
    "sanic.helpers:has_message_body": [],
    "sanic.http.http1:HTTP_CONTINUE": [],
    "sanic.http:Http": [
        *("keep_alive", "expecting_continue", "stage", "request", "request_body"),
        *("request_bytes", "read", "http1_request_header", "recv_buffer", "upgrade_websocket"),
        *("request_bytes_left", "request_max_size", "HEADER_MAX_SIZE", "_receive_more", "_send"),
    ],
    "sanic.http:Stage": ["IDLE", "REQUEST", "HANDLER", "FAILED"],
    "sanic.http.constants:HTTP": ["VERSION_1"],
    "sanic.request:Request": ["_parsed_url", "path", "raw_url", "stream", "transport"],
    "sanic.router:Router": ["_get", "get"],
    "sanic.server.async_server:AsyncioServer": [
        *("startup", "before_start", "after_start", "before_stop", "connections", "after_stop"),
        "server",
    ],
    "sanic.server.protocols.http_protocol:HttpProtocol": [
        *("HTTP_CLASS", "_http", "_task", "_time", "_can_write", "recv_buffer", "connection_lost"),
        *("data_received", "close", "close_if_idle", "abort", "pause_writing", "resume_writing"),
        *("receive_more", "_callback_check_timeouts"),
    ],
}


def moved(owner: str, name: str) -> str:
    return f"Sanic {version('sanic')} has no {name} in {owner} any more"


@pytest.mark.parametrize("owner", ATTRIBUTES)
def test_what_is_used_is_there(owner: str) -> None:
    module, name = owner.split(":")
    found = getattr(importlib.import_module(module), name, None)
    assert found is not None, moved(module, name)
    for attribute in ATTRIBUTES[owner]:
        assert attribute in _names(found), moved(owner, attribute)


def _names(owner: Any) -> set[str]:
    """What objects of the class may have, also where it is only announced."""
    names = {*dir(owner)}
    for base in getattr(owner, "__mro__", ()):
        names.update(getattr(base, "__slots__", ()), getattr(base, "__annotations__", ()))
    return names


def test_nobody_else_touches_private_parts() -> None:
    for file in sorted(HTTP.rglob("*.py")):
        if file in PARTS:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sanic"):
                assert node.module in PUBLIC, f"{file} imports {node.module}"
            if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                own = ast.unparse(node.value) in ("self", "cls", "super()", "self._before")
                assert own or node.attr.startswith("__"), f"{file} touches {node.attr}"


def test_the_protocol_takes_nothing_of_sanics_by_its_name() -> None:
    """A name with an underscore that both have would be one of Sanic's private parts."""
    own = set(TfaasProtocol.__slots__)
    for base in SanicProtocol.__mro__:
        assert own.isdisjoint(getattr(base, "__slots__", ())), base


def test_an_answer_becomes_bytes() -> None:
    answer = HTTPResponse(status=404, headers={"X": "1\r\nY: 2"}, content_type="a/b")
    assert head_bytes(answer).startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"\nY: 2" not in head_bytes(answer)
    assert has_body(200)
    assert not has_body(204)


async def echo(asked: Request) -> Response:
    return Response(asked.body)


def test_no_plugin_gets_the_application_of_sanic() -> None:
    async def look(_served: Served) -> None:
        with pytest.raises(SanicException, match="not found"):
            Sanic.get_app("tfaas-predictions")

    serve({"echo": echo}, look)


def test_an_idle_connection_rests_and_a_busy_one_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise all requests would go one way, and nobody would notice but by the clock."""
    rested: list[bool] = []
    came = asyncio.Semaphore(0)
    received = TfaasProtocol.data_received

    def data_received(self: TfaasProtocol, data: bytes) -> None:
        rested.append(self.rests)
        received(self, data)
        came.release()

    monkeypatch.setattr(TfaasProtocol, "data_received", data_received)

    async def ask(served: Served) -> None:
        connection = await served.connect()
        for headers in ((), SANICS, ()):
            connection.post("echo", b"1", *headers)
            await connection.answer()
            await came.acquire()
        for piece in (b"POST /echo HTTP/1.1\r\nHost: x\r\n", b"Content-Length: 2\r\n\r\n", b"hi"):
            connection.writer.write(piece)
            await came.acquire()
        assert (await connection.answer()).endswith(b"hi")

    serve({"echo": echo}, ask)
    assert rested == [True, True, True, True, False, False]
