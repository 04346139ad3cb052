"""Chunked bodies: the same in whatever pieces they come, and as h11 reads them."""

from __future__ import annotations

import re

import h11

from tests.fuzz.dice import Dice, pieces
from tfaas_core.http.grammar import Chunks, Malformed

_BAD_SPACE = re.compile(rb"[0-9A-Fa-f][ \t]+;")
"""RFC 9112 has it read, and h11 refuses it."""

_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def check(data: bytes) -> None:
    dice = Dice(data)
    size = 1 + dice.number()
    stream = dice.rest()
    whole = _body(stream, len(stream) or 1)
    assert whole == _body(stream, size)
    if whole is not None and not _BAD_SPACE.search(stream):
        assert _h11_body(stream) == whole


def _body(stream: bytes, size: int) -> tuple[bytes, bytes, bool] | None:
    """The body, what is behind it, and whether it has ended; None: it is refused."""
    chunks, buffer, body = Chunks(), bytearray(), b""
    try:
        for piece in pieces(stream, size):
            buffer += piece
            while found := chunks.take(buffer):
                body += found
    except Malformed:
        return None
    return body, bytes(buffer) if chunks.is_done else b"", chunks.is_done


def _h11_body(stream: bytes) -> tuple[bytes, bytes, bool]:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(_HEAD + stream)
    assert isinstance(connection.next_event(), h11.Request)
    body = b""
    while True:
        event = connection.next_event()
        match event:
            case h11.Data():
                body += event.data
            case h11.EndOfMessage():
                return body, connection.trailing_data[0], True
            case _:
                return body, b"", False
