"""AnswerBuffer: cuts what a servable sends into answers, and has long ones count as in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from tfaas_core.engine.in_worker.parts import Part, Sent
from tfaas_core.engine.shared.frames import (
    ANSWER_HEAD_BYTES,
    MOST_ANSWER_BYTES,
    FrameBuffer,
    encode_failure,
    parts_of_answer,
)
from tfaas_core.errors import TfaasError, TooLarge, Unavailable
from tfaas_core.routing.in_flight import (
    LONG_BYTES,
    LOOK_AGAIN_S,
    ROOM_LOOKS,
    CountedBytes,
    InFlight,
)
from tfaas_core.system.resources.shortage import lack_of

_SIZE_BYTES = 8


class AnswerBuffer(FrameBuffer):
    """A FrameBuffer of which each long frame is a view of CountedBytes, from its head on.

    While one ``lacks_room``, nothing more is to be fed but what has come. If it finds none, it is
    passed over as it comes, and a failure that says so stands in its place. So it is with one that
    nobody waits for any more. ``sent``: the requests, by the ids of their frames; the answer to any
    other is a KeyError.
    """

    def __init__(self, in_flight: InFlight, sent: Mapping[int, Sent]) -> None:
        super().__init__(MOST_ANSWER_BYTES)
        self._in_flight = in_flight
        self._sent = sent
        self._long: _LongAnswer | None = None

    def feed(self, data: bytes | memoryview) -> Iterator[Any]:
        """As a FrameBuffer's, but that long frames are memoryviews."""
        return super().feed(data) if self._long is None else self._fed(self._long, data)

    @property
    def lacks_room(self) -> bool:
        """Whether there may be room later for what is coming."""
        return self._long is not None and self._long.early is not None

    def wait_for_room(self, transport: asyncio.Transport, looks: int = ROOM_LOOKS) -> None:
        """Has ``transport``, from which it comes, read on once there is some, or none was found."""
        long = self._long
        if long is not None and long.early is not None:
            self._admit(long)
            if not looks:
                long.early = None
        if not self.lacks_room:
            transport.resume_reading()
            return
        transport.pause_reading()
        loop = asyncio.get_running_loop()
        loop.call_later(LOOK_AGAIN_S, self.wait_for_room, transport, looks - 1)

    def forget(self, frame_id: int) -> None:
        """If that is what is coming, nobody waits for it any more."""
        if self._long is not None and self._long.id == frame_id:
            self._long.room = self._long.early = None

    def close(self) -> None:
        """Nothing more comes."""
        self._long = None

    def _fed(self, long: _LongAnswer, data: bytes | memoryview) -> Iterator[bytes | memoryview]:
        rest = long.fed(memoryview(data))
        if long.missing_bytes:
            return
        self._long = None
        yield long.frame()
        del long
        if rest:
            yield from self.feed(rest)

    def _begins(self, size: int, start: int) -> bool:
        super()._begins(size, start)
        if size <= LONG_BYTES or len(self._bytes) - start < ANSWER_HEAD_BYTES:
            return False
        head = bytes(self._bytes[start:])
        frame_id, first_part, parts = parts_of_answer(head)
        self._long = _LongAnswer(frame_id, first_part, parts, size)
        self._admit(self._long)
        self._long.fed(memoryview(head)[_SIZE_BYTES:])
        return True

    def _admit(self, long: _LongAnswer) -> None:
        """Gives it room, or tells why not. It keeps what comes early if there may be some later."""
        try:
            if not all(part.answer.done() for part in long.parts_of(self._sent[long.id])):
                long.begins(self._in_flight.room(long.size))
            else:
                long.early = None
        except Unavailable as error:
            # Its traceback has this frame, and so ``long``, whose room would stay with that.
            long.error = error.with_traceback(None)
        except TooLarge as error:
            long.error, long.early = error.with_traceback(None), None
        except MemoryError as error:
            said = f"{lack_of(error, 'this HTTP worker')}; try again"
            long.error, long.early = Unavailable(said), None


class _LongAnswer:
    """One that is coming. ``room``: None if it is passed over, or has none yet: then ``early`` is
    what has come of it."""

    def __init__(self, frame_id: int, first_part: int, parts: int, size: int) -> None:
        self.id, self.size = frame_id, size
        self.missing_bytes = size
        self.room: CountedBytes | None = None
        self.early: bytearray | None = bytearray()
        self.error = TfaasError("nobody waits for the answer any more")
        self._parts = first_part, parts

    def parts_of(self, sent: Sent) -> list[Part]:
        """Those that it answers."""
        first, parts = self._parts
        return sent.parts[first : first + parts]

    def begins(self, room: CountedBytes) -> None:
        """Has room from now on."""
        assert self.early is not None
        room[: len(self.early)] = self.early
        self.room, self.early = room, None

    def fed(self, data: memoryview) -> memoryview:
        """Takes what belongs to it, and gives the rest."""
        own = data[: self.missing_bytes]
        if self.room is not None:
            at = len(self.room) - self.missing_bytes
            self.room[at : at + len(own)] = own
        elif self.early is not None:
            self.early += own
        self.missing_bytes -= len(own)
        return data[len(own) :]

    def frame(self) -> bytes | memoryview:
        """All of it, without its size field; or what stands in its place."""
        if self.room is not None:
            return self.room.data.toreadonly()
        return encode_failure(self.id, *self._parts, self.error)[_SIZE_BYTES:]
