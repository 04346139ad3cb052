"""Bodies of answers that blocking generators make."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator

import pytest

from tfaas_core.streams import in_threads
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually


class Pieces:
    """``made`` makes three; ``is_closed`` once its generator is. The second waits for ``go``."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.is_waiting = False
        self.is_closed = False

    def made(self) -> Generator[bytes]:
        try:
            yield b"one"
            self.is_waiting = True
            self.go.wait()
            yield b"two"
            yield b"three"
        finally:
            self.is_closed = True


@in_event_loop
async def test_each_piece_comes_and_the_generator_is_closed() -> None:
    pieces = Pieces()
    pieces.go.set()
    assert [piece async for piece in in_threads(pieces.made())] == [b"one", b"two", b"three"]
    assert pieces.is_closed


@in_event_loop
async def test_what_it_raises_is_raised() -> None:
    def made() -> Generator[bytes]:
        yield b"one"
        raise OSError("no disk")

    pieces = in_threads(made())
    assert await anext(pieces) == b"one"
    with pytest.raises(OSError, match="no disk"):
        await anext(pieces)


@in_event_loop
async def test_one_that_is_given_up_in_the_middle_of_a_step_is_closed_after_it() -> None:
    pieces = Pieces()

    async def take() -> None:
        async for _piece in in_threads(pieces.made()):
            pass

    taking = asyncio.create_task(take())
    await eventually(lambda: pieces.is_waiting, "the second step has begun")
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert not pieces.is_closed
    pieces.go.set()
    await eventually(lambda: pieces.is_closed, "it is closed")
