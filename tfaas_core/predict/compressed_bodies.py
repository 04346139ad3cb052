"""Bodies that are compressed: read, however much they claim to hold, up to a limit."""

from __future__ import annotations

import io
import zlib
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from typing import Protocol

from tfaas_core.errors import BadBody, TooLarge, UnsupportedMediaType
from tfaas_core.predict.predictor import Predictor
from tfaas_core.route import Request
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.texts.content_encodings import ZLIB_WINDOW_BITS

BODY_ENCODINGS = ("gzip", "deflate", "zstd")
"""All that are read."""

MOST_UNPACKED_BYTES = 100 << 20
"""What a compressed body may hold: a small one can hold a thousand times as much as it has."""

_PLAIN = ("", "identity")
_ALIASES = {"x-gzip": "gzip"}
_PIECE_BYTES = 1 << 16
_STEP_BYTES = 1 << 20
"""So much is unpacked before it is counted."""

_KIND = "inflating"
"""Of threads: it takes long, and nothing else waits for it."""


class Receiving(Protocol):
    """What of a Host reads bodies."""

    predictor: Predictor
    in_flight: InFlight


@asynccontextmanager
async def unpacked_body(
    host: Receiving, request: Request, most_bytes: int, read: Collection[str] = BODY_ENCODINGS
) -> AsyncIterator[bytes]:
    """The body, as it was before its Content-Encoding. As far as it is unpacked, and in the block,
    that counts as in flight.

    Raises as ``inflated`` and ``is_compressed``, and Unavailable if there is no room.
    """
    encoding, in_flight = request.head.content_encoding, host.in_flight
    if not encoding or not is_compressed(encoding, read):
        yield request.body
        return
    most = min(most_bytes, in_flight.most_bytes)
    unpacking, taken = _Unpacking(request.body, encoding, most), 0
    try:
        while not unpacking.is_done:
            more = await host.predictor.in_thread(unpacking.step, kind=_KIND)
            in_flight.check_room(more)
            in_flight.left -= more
            taken += more
        yield unpacking.body()
    finally:
        in_flight.give_back(taken)


def is_compressed(encoding: str, read: Collection[str] = BODY_ENCODINGS) -> bool:
    """Whether a Content-Encoding says so.

    Raises UnsupportedMediaType for one that is none of those that are ``read``.
    """
    name = _name(encoding)
    if name in _PLAIN:
        return False
    if name not in read:
        *most, last = read
        raise UnsupportedMediaType(
            f"the Content-Encoding is {encoding[:40]!r}; send {', '.join(most)} or {last}, or none",
            expected=list(read),
            got=encoding[:40],
        )
    return True


def inflated(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """The body that was compressed by an encoding for which ``is_compressed`` says yes.

    Raises BadBody if it is damaged, TooLarge once it holds more than ``most_bytes``. Takes as much
    memory as it holds, and a piece.
    """
    unpacking = _Unpacking(body, encoding, most_bytes)
    while not unpacking.is_done:
        unpacking.step()
    return unpacking.body()


class _Unpacking:
    """``inflated``, a step at a time."""

    def __init__(self, body: bytes, encoding: str, most_bytes: int) -> None:
        self.is_done = False
        self._name = name = _name(encoding)
        self._most_bytes = most_bytes
        self._whole = io.BytesIO()
        self._pieces = _by_zstd(body) if name == "zstd" else _by_zlib(body, ZLIB_WINDOW_BITS[name])

    def step(self) -> int:
        """Unpacks some more; gives how many bytes. Raises BadBody and TooLarge."""
        before, most = self._whole.tell(), self._most_bytes
        try:
            for piece in self._pieces:
                self._whole.write(piece)
                size = self._whole.tell()
                if size > most:
                    raise TooLarge(f"the body unpacks to more than {most} bytes", expected=most)
                if size - before >= _STEP_BYTES:
                    return size - before
        except _Incomplete as error:
            said = f"the body is {self._name}, as its Content-Encoding says, but {error}"
            raise BadBody(said) from None
        except _Damaged as error:
            said = f"the body is not {self._name}, as its Content-Encoding says: {error}"
            raise BadBody(said) from None
        self.is_done = True
        return self._whole.tell() - before

    def body(self) -> bytes:
        """All of it."""
        # Unlike a join of pieces, that copies nothing.
        return self._whole.getvalue()


class _Damaged(Exception):
    """It is none; the text says why."""


class _Incomplete(Exception):
    """It ends too soon, or too late; the text says which."""


def _by_zlib(body: bytes, window_bits: int) -> Iterator[bytes]:
    reader, read_bytes = zlib.decompressobj(window_bits), 0
    try:
        for part in _parts(body):
            rest: bytes | memoryview = part
            read_bytes += len(part)
            while rest and not reader.eof:
                yield reader.decompress(rest, _PIECE_BYTES)
                rest = reader.unconsumed_tail
            if reader.eof:
                break
        yield reader.flush()
    except zlib.error as error:
        raise _Damaged(str(error)) from None
    _check_end(reader.eof, len(body) - read_bytes + len(reader.unused_data))


def _by_zstd(body: bytes) -> Iterator[bytes]:
    # Most clients never send it, and an import takes ten milliseconds.
    from tfaas_core.predict import zstandard

    reader, read_bytes = zstandard.decompressor(), 0
    try:
        for part in _parts(body):
            rest: bytes | memoryview = part
            read_bytes += len(part)
            while not reader.eof and (rest or not reader.needs_input):
                yield reader.decompress(rest, _PIECE_BYTES)
                rest = b""
            if reader.eof:
                break
    except zstandard.Error as error:
        raise _Damaged(str(error)) from None
    _check_end(reader.eof, len(body) - read_bytes + len(reader.unused_data))


def _parts(body: bytes) -> Iterator[memoryview]:
    # At each step, the readers copy what they have not read yet of what they got.
    view = memoryview(body)
    for at in range(0, len(body), _PIECE_BYTES):
        yield view[at : at + _PIECE_BYTES]


def _check_end(is_whole: bool, unused_bytes: int) -> None:
    if not is_whole:
        raise _Incomplete("stops before its end")
    if unused_bytes:
        raise _Incomplete("has more behind its end")


def _name(encoding: str) -> str:
    name = encoding.strip().lower()
    return _ALIASES.get(name, name)
