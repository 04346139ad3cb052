"""Frames of HTTP/2: one way of a connection, as it comes in whatever pieces."""

from __future__ import annotations

import struct

DATA, HEADERS, RESET, CONTINUATION = 0, 1, 3, 9
"""Kinds of frames."""

END_STREAM, END_HEADERS, PADDED = 1, 4, 8
"""Flags of them."""

PREFACE_BYTES, HEAD_BYTES = 24, 9
"""Of what a client's way begins with, and each frame."""

_HEAD = struct.Struct(">HBBBI")
_STREAM = (1 << 31) - 1
_NONE = -1


class Frames:
    """Follows the frames; a subclass is told of each piece of what is behind their heads.

    Its ``kind``, ``flags``, ``stream`` and ``size`` are those of the frame that has come last, or
    is on its way, of which ``left_bytes`` are still to come.
    """

    def __init__(self, preface_bytes: int = 0) -> None:
        """The first frame begins behind the preface."""
        self.kind, self.flags, self.stream = _NONE, 0, 0
        self.size = self.left_bytes = preface_bytes
        self._head = b""

    @property
    def is_within(self) -> bool:
        """Whether a frame is there in part."""
        return self.left_bytes > 0 or bool(self._head)

    def came(self, data: bytes) -> None:
        """What has come, or gone, on this way."""
        at = 0
        if self.left_bytes:
            at = min(self.left_bytes, len(data))
            self.left_bytes -= at
            self._piece(data, 0, at)
        elif self._head:
            data = self._head + data
        end = len(data)
        while end - at >= HEAD_BYTES:
            high, low, self.kind, self.flags, stream = _HEAD.unpack_from(data, at)
            self.stream = stream & _STREAM
            self.size = size = high << 8 | low
            at += HEAD_BYTES
            stop = at + size
            if stop > end:
                self.left_bytes, stop = stop - end, end
            self._piece(data, at, stop)
            at = stop
        self._head = data[at:]

    def _piece(self, data: bytes, at: int, end: int) -> None:
        """``data[at:end]`` is the next part of the frame, which may have none."""
        raise NotImplementedError
