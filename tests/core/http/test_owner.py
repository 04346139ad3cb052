"""An answer that cannot be sent is the fault of the plugin that gave it, and names it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from tests.core.http.served import SANICS, RoutesHost, Served, serve_host
from tfaas_core.route import Request, Response

BEGINNING = "plugin tfaas_own failed in POST /bad: "


class OwnHost(RoutesHost):
    owner = "tfaas_own"


async def broken(pieces: int) -> AsyncIterator[bytes]:
    for _ in range(pieces):
        yield b"never sent"
    raise ValueError("before the first piece")


ANSWERS = {
    "stream": lambda: Response(stream=broken(0)),
    "status": lambda: Response(status=100),
    "odd status": lambda: Response(status=1000),
    "header": lambda: Response(headers={"Ü": "1"}),
}


@pytest.mark.parametrize("headers", [(), SANICS], ids=["express", "sanic"])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_cannot_be_sent_names_the_plugin(
    name: str, headers: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async def bad(_request: Request) -> Response:
        return ANSWERS[name]()

    async def ask(served: Served) -> None:
        connection = await served.connect()
        connection.post("bad", b"", *headers)
        answer = await connection.answer()
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert BEGINNING.encode() in answer

    with caplog.at_level(logging.ERROR):
        serve_host(OwnHost({"bad": bad}), ask)
    (record,) = [record for record in caplog.records if record.name == "tfaas.http"]
    assert record.message.startswith(BEGINNING)
    assert record.exc_info


@pytest.mark.parametrize("headers", [(), SANICS], ids=["express", "sanic"])
def test_an_answer_of_ours_that_cannot_be_sent_is_a_500_too(headers: tuple[str, ...]) -> None:
    class OursHost(RoutesHost):
        ours = ("bad",)

    async def bad(_request: Request) -> Response:
        return Response(headers={"\u00dc": "1"})

    async def ask(served: Served) -> None:
        connection = await served.connect()
        for _turn in range(2):
            connection.post("bad", b"", *headers)
            assert (await connection.answer()).startswith(b"HTTP/1.1 500 ")

    serve_host(OursHost({"bad": bad}), ask)
