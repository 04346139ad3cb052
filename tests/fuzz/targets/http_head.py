"""Heads of requests: the express lane takes none that the grammar refuses, and the grammar takes
none that another server would read otherwise."""

from __future__ import annotations

import re

import h11

from tests.core.http.served import RoutesHost
from tests.fuzz.dice import Dice
from tfaas_core.http.express import ExpressLane
from tfaas_core.http.foreign import ForeignWatch
from tfaas_core.http.grammar import MAX_HEAD_BYTES, Malformed, check_part, checked_head
from tfaas_core.http.router import Router
from tfaas_core.route import ClientAddress, Request, Response


async def _echo(request: Request) -> Response:
    return Response(request.body)


_MOST_BODY_BYTES = 1 << 20
_ROUTER = Router(RoutesHost({"echo": _echo}).routes())
_FOREIGN = ForeignWatch()
_LONG_LENGTH = re.compile(rb"[0-9]{20}")
"""h11 reads no length of so many digits; here, it is only too large."""

_END = b"\r\n\r\n"


def check(data: bytes) -> None:
    dice = Dice(data)
    step = 1 + dice.number()
    sent = dice.rest()
    _FOREIGN.is_foreign(sent)
    _FOREIGN.answer(sent, "the fuzzer")
    end = sent.find(_END)
    if not 0 <= end <= MAX_HEAD_BYTES:
        return
    head = _checked(sent[:end])
    goes_on = _goes_on(bytearray(sent[: end + 4]), end, step)
    # What is refused early is refused anyway: CR and LF in wrong places, and the first line.
    assert goes_on or head is None
    plain = ExpressLane(_ROUTER, _MOST_BODY_BYTES).request(sent, ClientAddress())
    if plain is not None:
        assert head is not None, "the express lane takes what the grammar refuses"
        assert plain.body == sent[end + 4 :]
    if head is not None:
        _check_alike(head, sent[:end], None if plain is None else len(plain.body))


def _checked(head: bytes) -> bytes | None:
    try:
        return checked_head(head)
    except Malformed:
        return None


def _goes_on(buffer: bytearray, end: int, step: int) -> bool:
    """Whether the head is let in, if it comes in pieces of ``step`` bytes."""
    seen = 0
    try:
        for until in [*range(step, end, step), end]:
            check_part(buffer, seen, until)
            seen = until
    except Malformed:
        return False
    return True


def _check_alike(checked: bytes, head: bytes, length: int | None) -> None:
    """h11 reads the same request in what is let in: headers, and where its body ends."""
    if _LONG_LENGTH.search(head):
        return
    event = _h11_request(head)
    again = _h11_request(checked)
    assert (event.method, event.target) == (again.method, again.target)
    assert len(event.headers) == len(again.headers)
    if length is not None:
        (announced,) = (value for name, value in event.headers if name == b"content-length")
        assert int(announced) == length


def _h11_request(head: bytes) -> h11.Request:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
    connection.receive_data(head + _END)
    event = connection.next_event()
    assert isinstance(event, h11.Request), event
    return event
