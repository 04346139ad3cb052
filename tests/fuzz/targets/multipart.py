"""Forms: cut into the same parts whichever way they are read, in whatever pieces they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tests.fuzz.dice import Dice, pieces
from tfaas_core.errors import BadBody, TfaasError
from tfaas_core.testing.suites.codec.case import assert_clients_error
from tfaas_core.uploads.multipart import (
    MAX_FILENAME_CHARACTERS,
    Event,
    PartHead,
    Splitter,
    boundary_of,
    events_of,
)

_SIZES = (1, 2, 3, 7, 64, 1 << 20)
_MOST_PIECES = 100


def check(data: bytes) -> None:
    dice = Dice(data)
    size = dice.one_of(_SIZES)
    line, _, body = dice.rest().partition(b"\n")
    content_type = line.decode("latin-1")
    try:
        boundary = boundary_of(content_type)
    except TfaasError as error:
        assert_clients_error(error, content_type)
        return
    size = max(size, len(body) // _MOST_PIECES)
    whole = _outcome(lambda: events_of(body, boundary))
    assert whole == _outcome(lambda: _split(content_type, body, size))
    for event in whole or ():
        if isinstance(event, PartHead) and event.filename is not None:
            name = event.filename
            assert len(name) <= MAX_FILENAME_CHARACTERS
            assert name.isprintable()
            assert not {"/", "\\"} & set(name)
            assert name not in (".", "..")


def _outcome(make: Callable[[], Iterable[Event]]) -> list[Event] | None:
    """The events, each part's bytes put together; None if the body is refused."""
    events: list[Event] = []
    try:
        for event in make():
            if isinstance(event, bytes) and events and isinstance(events[-1], bytes):
                events[-1] += event
            elif event != b"":
                events.append(event)
    except TfaasError as error:
        assert_clients_error(error, "a form")
        return None
    return events


def _split(content_type: str, body: bytes, size: int) -> Iterator[Event]:
    splitter = Splitter.of(content_type)
    for piece in pieces(body, size):
        yield from splitter.split(piece)
    if not splitter.is_complete:
        raise BadBody("it stops")
