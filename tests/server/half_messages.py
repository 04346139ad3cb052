"""A client of HTTP/2 that begins messages of gRPC, and never ends them."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 8, 9
_ACK = END_HEADERS = 4
_FRAME_BYTES = 16_384
_WINDOW = 65_535


class HalfMessage:
    """A call of ``path`` whose message announces ``announced`` bytes, and begins like that."""

    def __init__(self, sock: socket.socket, path: str, announced: int, begins: bytes = b"") -> None:
        self._sock = sock
        self._windows = {0: _WINDOW, 1: _WINDOW}
        self._initial = _WINDOW
        self._rest = b""
        self._unsent = struct.pack(">BI", 0, announced) + begins
        self.is_over = False
        fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x"}
        fields |= {"te": "trailers", "content-type": "application/grpc"}
        head = b"".join(_literal(name.encode(), value.encode()) for name, value in fields.items())
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, b""))
        sock.sendall(_frame(_HEADERS, END_HEADERS, 1, head))

    def send(self, size: int, within_s: float = 30) -> int:
        """Sends so many bytes of it, as far as the server takes them; gives how many."""
        sent, end_s = 0, time.monotonic() + within_s
        while sent < size and not self.is_over and time.monotonic() < end_s:
            free = min(*self._windows.values(), _FRAME_BYTES, size - sent)
            if free > 0:
                piece = (self._unsent + bytes(free))[:free]
                self._unsent = self._unsent[free:]
                self._say(_frame(_DATA, 0, 1, piece))
                sent += free
                for stream in self._windows:
                    self._windows[stream] -= free
            self.look(0.0 if free > 0 else 0.2)
        return sent

    def _say(self, frame: bytes) -> None:
        try:
            self._sock.sendall(frame)
        except ConnectionError:  # the server has cut it
            self.is_over = True

    def end(self) -> None:
        """The message is whole, and no other one follows."""
        self._say(_frame(_DATA, 1, 1, b""))

    def is_answered(self) -> bool:
        """Whether the server has begun to answer, or hung up."""
        self.look(0.1)
        return self.is_over

    def look(self, within_s: float) -> None:
        """Reads what the server says meanwhile."""
        self._sock.settimeout(max(within_s, 0.0001))
        try:
            came = self._sock.recv(65_536)
        except TimeoutError:
            return
        except OSError:
            came = b""
        self.is_over |= came == b""
        self._rest += came
        self._sock.settimeout(30)
        while len(self._rest) >= 9 and len(self._rest) >= 9 + _size(self._rest):
            size = _size(self._rest)
            frame, self._rest = self._rest[: 9 + size], self._rest[9 + size :]
            self._take(frame[3], frame[4], int.from_bytes(frame[5:9], "big"), frame[9:])

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _WINDOW_UPDATE:
            self._windows[stream] += int.from_bytes(payload, "big")
        elif kind == _SETTINGS and not flags & 1:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack(">HI", payload[at : at + 6])
                if key == _ACK:  # the initial window
                    self._windows[1] += value - self._initial
                    self._initial = value
            self._say(_frame(_SETTINGS, 1, 0, b""))
        elif kind == _PING and not flags & 1:
            self._say(_frame(_PING, 1, 0, payload))
        elif kind in (_HEADERS, _RESET):
            self.is_over = True


def opened(address: str, window: int = _WINDOW) -> socket.socket:
    """A connection whose client takes ``window`` bytes of each answer, and no more."""
    host, _, port = address.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=30)
    settings = struct.pack(">HI", 4, window)
    sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, settings))
    return sock


def call_frames(
    stream: int, path: bytes, message: bytes, *more: tuple[bytes, bytes], packed: bytes = b""
) -> bytes:
    """A whole call; ``more`` stands beside, or in the place of, what its head has to say.

    ``packed``: what follows in the head, as HPACK has it.
    """
    fields = {b":method": b"POST", b":scheme": b"http", b":path": path, b":authority": b"x"}
    fields |= {b"te": b"trailers", b"content-type": b"application/grpc", **dict(more)}
    head = b"".join(_literal(name, value) for name, value in fields.items())
    head += packed
    sent = struct.pack(">BI", 0, len(message)) + message
    return _frames(_HEADERS, _CONTINUATION, END_HEADERS, stream, head) + _frames(
        _DATA, _DATA, 1, stream, sent
    )


def _frames(first: int, other: int, last_flag: int, stream: int, payload: bytes) -> bytes:
    """As many as it takes; the last one has a flag."""
    pieces = [payload[at : at + _FRAME_BYTES] for at in range(0, len(payload), _FRAME_BYTES)]
    return b"".join(
        _frame(other if at else first, last_flag * (at == len(pieces) - 1), stream, piece)
        for at, piece in enumerate(pieces)
    )


@contextmanager
def half_message(
    address: str, path: str, announced: int, begins: bytes = b""
) -> Iterator[HalfMessage]:
    """One on a connection of its own."""
    host, _, port = address.rpartition(":")
    with closing(socket.create_connection((host, int(port)))) as sock:
        yield HalfMessage(sock, path, announced, begins)


def _size(frame: bytes) -> int:
    return int.from_bytes(frame[:3], "big")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
