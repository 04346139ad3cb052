"""Messages: those that a client of gRPC has begun to send, and how fast it goes on.

gRPC's library tells nobody of a message before it is whole. So the gate follows what goes by.
"""

from __future__ import annotations

from collections import deque

import msgspec

from tfaas_core.settings.tables import Limits
from tfaas_plugins.grpc_server.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PREFACE_BYTES,
    RESET,
    Frames,
)

_PREFIX_BYTES = 5
_LOOKS = 8
_MOST_STREAMS = 4096
"""Of one connection, as far as they are open; gRPC's library allows a quarter of it."""


_MARKS = 32
"""In the time that is lately."""


class LeastPace(msgspec.Struct, frozen=True):
    """How fast a client has to be, in looks at it, one in ``look_s``.

    A look counts, and not the clock: of one that has waited since this process is busy, more may
    have come than it has read. ``head_looks``: for all that is no message. Beyond ``window_looks``,
    each message that is on its way needs ``window_bytes`` in so many, and, once its size is known,
    may take no more looks than one for each ``look_bytes`` of it.
    """

    look_s: float
    head_looks: float
    window_looks: float
    window_bytes: float
    look_bytes: float

    @classmethod
    def of(cls, limits: Limits) -> LeastPace:
        """What ``[limits]`` asks for."""
        window_s, head_s = limits.pace_window_s, limits.head_timeout_s
        look_s = min(window_s, head_s) / _LOOKS
        # Whoever sends nothing at all is too slow in any case.
        window_bytes = max(1.0, limits.min_bytes_per_s * window_s)
        look_bytes = window_bytes / window_s * look_s
        return cls(look_s, head_s / look_s, window_s / look_s, window_bytes, look_bytes)


class _Message:
    """One that is on its way."""

    __slots__ = ("_prefix", "left_bytes", "looks", "size")

    def __init__(self) -> None:
        self._prefix = b""
        self.size = 0
        self.left_bytes = _PREFIX_BYTES
        self.looks = 0

    @property
    def is_sized(self) -> bool:
        """Whether its size is known."""
        return len(self._prefix) == _PREFIX_BYTES

    def take(self, data: bytes, at: int, end: int) -> int:
        """Takes what is its own of ``data[at:end]``; gives where that ends."""
        stop = min(end, at + self.left_bytes)
        self.left_bytes -= stop - at
        if not self.is_sized:
            self._prefix += data[at:stop]
            if not self.left_bytes:
                self.size = self.left_bytes = int.from_bytes(self._prefix[1:], "big")
                # A client may cut it here, if a window is full, and send all others before.
                self.looks = 0
        return stop


class Messages(Frames):
    """What a client sends on one connection."""

    def __init__(self) -> None:
        super().__init__(PREFACE_BYTES)
        self._streams: set[int] = set()
        self._last_stream = 0
        self._open: dict[int, _Message] = {}
        self._padding = 0
        self._ended = 0  # frames, and heads of several
        self._ended_before = 0
        self._head_looks = 0
        self._window_looks = 0
        self._window_bytes = 0
        self._looks = 0
        self._bytes = 0  # of all data
        self._marks = deque([(0, 0)])  # both, as they were; the first one is where lately begins

    @property
    def open(self) -> int:
        """How many messages have come in part."""
        return len(self._open)

    def forget(self, stream: int) -> None:
        """It is over; what still comes for it is of no interest to anybody."""
        self._streams.discard(stream)
        self._open.pop(stream, None)

    def paced(self, least: LeastPace) -> int:
        """For how many at once its client has lately been quick enough, on average."""
        looks_before, bytes_before = self._marks[0]
        looks = self._looks - looks_before
        return int((self._bytes - bytes_before) / (looks * least.look_bytes)) if looks else 0

    def look(self, least: LeastPace) -> bool:
        """Called once in ``least.look_s`` if the server waits for them: whether it is too slow."""
        self._count_lately(least)
        return (
            self._is_head_late(least)
            or self._are_messages_late(least)
            or len(self._streams) == _MOST_STREAMS
        )

    def _count_lately(self, least: LeastPace) -> None:
        self._looks += 1
        if self._looks % max(1, int(least.window_looks / _MARKS)) == 0:
            self._marks.append((self._looks, self._bytes))
        while len(self._marks) > 1 and self._marks[1][0] <= self._looks - least.window_looks:
            self._marks.popleft()

    def _is_head_late(self, least: LeastPace) -> bool:
        is_data = self.left_bytes > 0 and self.kind == DATA
        of_message = is_data and self.stream in self._open
        is_within = (self.is_within or self._is_head()) and not of_message
        if is_within and self._ended == self._ended_before:
            self._head_looks += 1
        else:
            self._head_looks = 0
        self._ended_before = self._ended
        # Of a message that nobody wants any more, a part may still be on its way.
        more_looks = self.size / least.look_bytes if is_data else 0
        return self._head_looks > least.head_looks + more_looks

    def _are_messages_late(self, least: LeastPace) -> bool:
        if not self._open:
            self._window_looks = self._window_bytes = 0
            return False
        for each in self._open.values():
            each.looks += 1
            if each.is_sized and each.looks > least.window_looks + each.size / least.look_bytes:
                return True
        self._window_looks += 1
        if self._window_looks <= least.window_looks:
            return False
        old = sum(each.looks >= self._window_looks for each in self._open.values())
        is_late = self._window_bytes < old * least.window_bytes
        self._window_looks = self._window_bytes = 0
        return is_late

    def _piece(self, data: bytes, at: int, end: int) -> None:
        kind = self.kind
        if kind == DATA:
            self._window_bytes += end - at
            self._bytes += end - at
            if self.stream in self._streams:
                self._data(data, at, end)
        elif kind == HEADERS and self.stream > self._last_stream and self.stream & 1:
            self._last_stream = self.stream
            if len(self._streams) < _MOST_STREAMS:
                self._streams.add(self.stream)
        elif kind == RESET:
            self.forget(self.stream)
        if not self.left_bytes and not self._is_head():
            self._ended += 1

    def _is_head(self) -> bool:
        """Whether more frames of a head have to follow."""
        return self.kind in (HEADERS, CONTINUATION) and not self.flags & END_HEADERS

    def _data(self, data: bytes, at: int, end: int) -> None:
        if self.flags & PADDED:
            at, end = self._unpadded(data, at, end)
        message = self._open.pop(self.stream, None)
        while at < end:
            # Most are whole, and have a frame of their own.
            if message is None and end - at >= _PREFIX_BYTES:
                whole = at + _PREFIX_BYTES + int.from_bytes(data[at + 1 : at + 5], "big")
                if whole <= end:
                    at = whole
                    continue
            message = message or _Message()
            at = message.take(data, at, end)
            if not message.left_bytes:
                message = None
        if message is not None and (self.left_bytes or not self.flags & END_STREAM):
            self._open[self.stream] = message

    def _unpadded(self, data: bytes, at: int, end: int) -> tuple[int, int]:
        if self.left_bytes + end - at == self.size and at < end:
            self._padding = data[at]
            at += 1
        return at, max(at, end - max(0, self._padding - self.left_bytes))


class Ends(Frames):
    """What the library answers, which ends streams of ``messages``."""

    def __init__(self, messages: Messages) -> None:
        super().__init__()
        self._messages = messages

    def _piece(self, data: bytes, at: int, end: int) -> None:
        if self.left_bytes:
            return
        kind = self.kind
        if kind == RESET or (kind in (HEADERS, DATA) and self.flags & END_STREAM):
            self._messages.forget(self.stream)
