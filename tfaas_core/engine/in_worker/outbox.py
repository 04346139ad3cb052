"""Outbox: frames on their way to a model, and those that wait for room for their values.

Large values are written into memory that is shared with the model. In the frames themselves, they
would be copied into the connection, and again at its other end: so many bytes more than the
requests have, and nobody would count them. So they wait, and what comes behind them does, too.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

import msgspec

from tfaas_core.engine.in_worker.parts import Groupings, Part, Sent, refuse_all
from tfaas_core.engine.in_worker.past_transport import send_now
from tfaas_core.engine.shared.frames import ANY_SHAPE, encode_request
from tfaas_core.engine.shared.slots import NoSlot, SlotWriter
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.tensors import Array

_AGAIN_S, _LONGEST = 0.002, 10
"""Until the next look for room, and how many times as long it may become."""

_MOST_LOOKS = 25
"""For room that nobody is left to make: a model may keep what it was fed as long as it likes."""

_FRAME_BYTES = 1 << 23
"""Of the values of a frame of several requests: one of all of them might never have room."""

_LARGE_BYTES = 1 << 12
"""Of an input. One as large that stayed until its answer would make the next find cold memory."""


class _Outgoing(msgspec.Struct, frozen=True):
    """The frame of a group of requests, and their ``inputs``."""

    id: int
    group: list[Part]
    inputs: list[Sequence[Array]]
    deadline_s: float

    def is_over(self) -> bool:
        """Whether nobody waits for an answer any longer."""
        return all(part.answer.done() for part in self.group)

    def let_go(self) -> None:
        """If the first input is large, the requests keep none of theirs."""
        if any(array.nbytes >= _LARGE_BYTES for array in self.inputs[0]):
            for part in self.group:
                part.inputs = ()


class Outbox:
    """That of one connection, whose ``transport`` is set before the first frame is sent.

    All belongs to the event loop's thread.
    """

    transport: asyncio.WriteTransport | None = None

    def __init__(
        self,
        sock: socket.socket,
        groupings: Groupings,
        slots: SlotWriter | None,
        sent: dict[int, Sent],
        in_flight: InFlight,
        on_dropped: Callable[[list[Part]], object],
    ) -> None:
        """``sent`` gets each group, by its frame's id, also while it waits; ``on_dropped`` is told
        of one that is no longer there, since nobody waits for its answer, or it cannot be sent."""
        self._sock = sock
        self._groupings = groupings
        self._slots = slots
        self._sent = sent
        self._in_flight = in_flight
        self._on_dropped = on_dropped
        self._ids = itertools.count()
        self._waiting: deque[_Outgoing] = deque()
        self._again: asyncio.TimerHandle | None = None
        self._looks = 0

    def send(self, group: list[Part], deadline_s: float, in_flight: int, is_lone: bool) -> bool:
        """Sends the frames of a group, or has them wait. ``in_flight``: rows, with these.

        Returns whether all is sent already, past the transport, as it is if it ``is_lone``.
        """
        sent = [self._send(some, deadline_s, in_flight, is_lone) for some in _cut(group)]
        return all(sent)

    def look(self) -> None:
        """Sends what there is room for now: there may be some more."""
        if self._waiting:
            self._looks = 0
            self._send_waiting()

    def close(self) -> None:
        """Nothing more is sent."""
        self._waiting.clear()
        self._slots = None
        if self._again is not None:
            self._again.cancel()

    def _send(self, group: list[Part], deadline_s: float, in_flight: int, is_lone: bool) -> bool:
        frame_id = next(self._ids) & 0xFFFF_FFFF
        self._sent[frame_id] = Sent(group, deadline_s, len(group), in_flight)
        frame = _Outgoing(frame_id, group, [part.inputs for part in group], deadline_s)
        data = None if self._waiting else self._encoded(frame, may_wait=len(self._sent) > 1)
        if data is None:
            self._waiting.append(frame)
            self._look_again()
            return False
        return self._write(data, is_lone)

    def _encoded(self, frame: _Outgoing, may_wait: bool) -> bytes | None:
        """None: it waits for room. It is empty if there can be none, which it is told."""
        first, rows = frame.group[0], [part.rows for part in frame.group]
        specs = self._groupings.at[first.place].inputs
        alone = ANY_SHAPE if first.any_shape else first.whole
        given = (frame.id, frame.deadline_s, rows, frame.inputs, specs, alone, first.place)
        try:
            data = encode_request(*given, self._slots, may_wait)
        except NoSlot:
            return None
        except Exception as error:  # arrays of something else, or no memory for them
            self._refuse(frame.group, error)
            self._drop(frame)
            return b""
        frame.let_go()
        return data

    def _write(self, data: bytes, is_lone: bool = False) -> bool:
        unsent = send_now(self._sock, data) if is_lone and data else data
        if unsent:
            transport = cast(asyncio.WriteTransport, self.transport)
            transport.write(self._in_flight.counted(unsent))
        return bool(data) and not unsent

    @staticmethod
    def _refuse(group: list[Part], error: Exception) -> None:
        refuse_all(group, lambda: error)

    def _drop(self, frame: _Outgoing) -> None:
        del self._sent[frame.id]
        self._on_dropped(frame.group)

    def _send_waiting(self) -> None:
        while self._waiting:
            frame = self._waiting[0]
            if frame.is_over():
                self._drop(frame)
            else:
                data = self._encoded(frame, self._may_wait())
                if data is None:
                    self._look_again()
                    return
                self._write(data)
            self._waiting.popleft()

    def _may_wait(self) -> bool:
        others = len(self._sent) - len(self._waiting)
        return others > 0 or self._looks < _MOST_LOOKS

    def _look_again(self) -> None:
        # A slot is free a little after the answer, if at all.
        if self._again is None:
            after_s = _AGAIN_S * min(1 + self._looks, _LONGEST)
            self._again = asyncio.get_running_loop().call_later(after_s, self._looked)

    def _looked(self) -> None:
        self._again = None
        self._looks += 1
        self._send_waiting()


def _cut(group: list[Part]) -> list[list[Part]]:
    """The group, or several whose values are as many bytes as a frame may have, or one request."""
    if len(group) == 1:
        return [group]
    first = group[0]
    row_bytes = sum([array.nbytes for array in first.inputs]) / (first.rows or 1)
    if row_bytes * sum([part.rows for part in group]) <= _FRAME_BYTES:
        return [group]
    cut: list[list[Part]] = []
    left = 0.0
    for part in group:
        left -= row_bytes * part.rows
        if left < 0:
            cut.append([])
            left = _FRAME_BYTES - row_bytes * part.rows
        cut[-1].append(part)
    return cut
