"""BodyRoom: where a body is put together, from the socket straight into the bytes of a request."""

from __future__ import annotations

from io import BytesIO

_LEAST_BYTES, _MOST_BYTES = 1 << 14, 1 << 22
"""Of new room for what comes next. More would take long to make."""


class BodyRoom:
    """A body that arrives. It has room for twice what has come at most: whoever only announces much
    holds little."""

    def __init__(self) -> None:
        self.size = 0
        """How many bytes have come."""
        # Unlike other buffers, it hands its bytes over without a copy.
        self._bytes = BytesIO()
        self._end = 0
        self._place: memoryview | None = None

    def add(self, piece: bytes | bytearray | memoryview) -> None:
        """Copies what has come elsewhere."""
        self._let_go()
        self._bytes.seek(self.size)
        self._bytes.write(piece)
        self.size += len(piece)
        self._end = max(self._end, self.size)

    def place(self, left: int) -> memoryview:
        """Where the next bytes of ``left`` may be written, from their first on; then ``came``.

        Nobody has the one before any longer. Raises MemoryError.
        """
        self._let_go()
        if self._end - self.size < min(left, _LEAST_BYTES):
            end = self.size + min(left, max(self.size, _LEAST_BYTES), _MOST_BYTES)
            self._bytes.seek(end - 1)
            self._bytes.write(b"\0")
            self._end = end
        self._place = self._bytes.getbuffer()[self.size : self._end]
        return self._place

    def came(self, size: int) -> None:
        """So many bytes were written to the place."""
        self.size += size

    def whole(self) -> bytes:
        """All that has come. Nothing more comes."""
        self._let_go()
        self._bytes.truncate(self.size)
        return self._bytes.getvalue()

    def _let_go(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.release()
