"""Requests to a server: the answers are the same whether they come whole, so that the express lane
may have them, or in pieces, which it may gather, or so that only Sanic's lane reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

from tests.fuzz.dice import Dice
from tests.fuzz.live import LiveServer

_TLS = b"\x16"
"""What begins so is TLS, and closed without a word, but for a lone byte."""

Shown: TypeAlias = list[tuple[int, bytes]]
_ANSWER = b"HTTP/1.1 "
_REFUSED = (400, b"")
_TRIES = 3
_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]+)\r\n", re.IGNORECASE)


def check(data: bytes) -> None:
    dice = Dice(data)
    cut = dice.number()
    sent = dice.rest()
    if sent.startswith(_TLS):
        _server().answers([sent])
        return
    for _ in range(_TRIES):  # whether the server waits can only be guessed
        whole, in_pieces = _shown([sent]), _shown([sent[:cut], sent[cut:]])
        # Without a head in the first piece, there is nothing to gather.
        by_sanic = _shown([sent[:1], sent[1:]])
        if _are_alike(whole, in_pieces) and _are_alike(whole, by_sanic):
            break
    assert _are_alike(whole, in_pieces), (whole, in_pieces)
    assert _are_alike(whole, by_sanic), (whole, by_sanic)


def _are_alike(whole: Shown, in_pieces: Shown) -> bool:
    """Either way may be the first to refuse a head that has not come to its end.

    When the connection ends is not compared: the client here would have to guess it.
    """
    one, other = sorted((whole, in_pieces), key=len)
    return other in (one, [*one, _REFUSED])


@cache
def _server() -> LiveServer:
    return LiveServer()


def end() -> None:
    """Once nothing more is to be checked."""
    _server().end()
    _server.cache_clear()


def _shown(sent: Sequence[bytes]) -> Shown:
    """The statuses of the answers, with the bodies of those that are none of errors."""
    got = _server().answers([piece for piece in sent if piece])
    answers = []
    while got:
        head, end, rest = got.partition(b"\r\n\r\n")
        assert end, f"half an answer: {got!r}"
        status = int(head.split(b" ")[1])
        length = _LENGTH.search(head + b"\r\n")
        # The answer to a HEAD has none of the body that it tells of.
        size = int(length[1]) if length and not rest.startswith(_ANSWER) else 0
        assert status < 500 or status in (501, 505), got
        if status >= 200:
            answers.append((status, rest[:size] if status < 300 else b""))
        got = rest[size:]
    return answers
