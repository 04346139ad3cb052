"""What handlers answer is sent as it is, or refused with a sentence that says what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import pytest

from tfaas_core.route import Response
from tfaas_core.routing.sendable import sendable


async def pieces() -> AsyncIterator[bytes]:
    yield b""


RIGHT = {
    "usual": Response(),
    "an enum": Response(status=HTTPStatus.CREATED),
    "parameters": Response(media_type="text/plain; charset=utf-8"),
    "headers": Response(headers={"X-A": "", "x-b": "\ta b~", "TFaaS-Model": "vk/1"}),
    "a proxy": Response(headers=MappingProxyType({"X": "1"})),
    "a stream": Response(stream=pieces()),
    "a stream of known length": Response(stream=pieces(), headers={"Content-Length": "12"}),
}


@pytest.mark.parametrize("response", RIGHT.values(), ids=RIGHT)
def test_what_can_be_sent_is_left_as_it_is(response: Response) -> None:
    assert sendable(response) is response


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a status like one that is known": ({"status": 200.0}, "status of the answer is 200.0, not an"),
    "a status of an interim answer": ({"status": 101}, "is 101, not one of 200 to 599"),
    "text": ({"body": "text"}, "the body of the answer is 'text', not bytes"),
    "no media type": ({"media_type": None}, "the media type of the answer is None, not a str"),
    "a media type with a space": ({"media_type": "a/b "}, "is 'a/b ', not one line of visible"),
    "a list of headers": ({"headers": [("X", "1")]}, r"the headers of the answer are \[.*, not a"),
    "a list of values": ({"headers": {"X": ["1"]}}, r"the header X of \['1'\], which is not one"),
    "an odd name": ({"headers": {"X Y": "1"}}, "has a header named 'X Y', which is no name"),
    "a break": ({"headers": {"X": "1\n"}}, r"the header X of '1\\n', which is not one line"),
    "a length": ({"headers": {"Content-Length": "0"}}, "Content-Length, which the server sets"),
    "chunks of a stream": (
        {"stream": pieces(), "headers": {"Transfer-Encoding": "chunked"}},
        "Transfer-Encoding, which the server sets itself",
    ),
    "an odd length of a stream": (
        {"stream": pieces(), "headers": {"content-length": "+1"}},
        r"the header content-length of '\+1', which is no length",
    ),
    "an odd type of a stream": ({"stream": pieces(), "media_type": "a\n"}, "not one line"),
    "a list of pieces": ({"stream": [b"a piece"]}, "the stream of the answer is .*, no async"),
}


@pytest.mark.parametrize(("fields", "told"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_sent_is_refused_each_time(fields: dict[str, Any], told: str) -> None:
    sendable(Response())
    for _turn in range(2):
        with pytest.raises((TypeError, ValueError), match=told):
            sendable(Response(**fields))
