"""Bodies that are compressed: read, however much they claim to hold, up to a limit."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tfaas_core.errors import BadBody, TooLarge, UnsupportedMediaType
from tfaas_core.host import Host
from tfaas_core.route import Request

_PLAIN = ("", "identity")
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_PIECE_BYTES = 1 << 16

_KIND = "inflating"
"""Of threads: it takes long, and nothing else waits for it."""

MOST_UNPACKED_BYTES = 100 << 20
"""What a compressed body may hold: a small one can hold a thousand times as much as it has."""


@asynccontextmanager
async def unpacked(host: Host, request: Request, most_bytes: int) -> AsyncIterator[bytes]:
    """The body, as it was before its Content-Encoding. In the block, that counts as in flight.

    Raises as ``inflated`` and ``is_compressed``, and Unavailable if there is no room.
    """
    encoding, in_flight = request.head.content_encoding, host.in_flight
    if not encoding or not is_compressed(encoding):
        yield request.body
        return
    most = min(most_bytes, in_flight.most_bytes)
    body = await host.predictor.in_thread(inflated, request.body, encoding, most, kind=_KIND)
    with in_flight.held(len(body)):
        yield body


def is_compressed(encoding: str) -> bool:
    """Whether a Content-Encoding says so. Raises UnsupportedMediaType for one that is not read."""
    name = encoding.strip().lower()
    if name in _PLAIN:
        return False
    if name not in _WINDOW_BITS:
        raise UnsupportedMediaType(
            f"the Content-Encoding is {encoding[:40]!r}; send gzip or deflate, or none",
            expected=["gzip", "deflate"],
            got=encoding[:40],
        )
    return True


def inflated(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """The body that was compressed by an encoding for which ``is_compressed`` says yes.

    Raises BadBody if it is damaged, TooLarge once it holds more than ``most_bytes``. Takes as much
    memory as it holds, and a piece.
    """
    name = encoding.strip().lower()
    reader = zlib.decompressobj(_WINDOW_BITS[name])
    pieces, size, rest = [], 0, body
    try:
        while rest and not reader.eof:
            pieces.append(reader.decompress(rest, min(_PIECE_BYTES, most_bytes - size + 1)))
            size += len(pieces[-1])
            rest = reader.unconsumed_tail
            if size > most_bytes:
                raise TooLarge(
                    f"the body unpacks to more than {most_bytes} bytes",
                    expected=most_bytes,
                )
        pieces.append(reader.flush())
    except zlib.error as error:
        raise BadBody(f"the body is not {name}, as its Content-Encoding says: {error}") from None
    if not reader.eof or reader.unused_data:
        what = "stops before its end" if not reader.eof else "has more behind its end"
        raise BadBody(f"the body is {name}, as its Content-Encoding says, but {what}")
    return b"".join(pieces)


def compressed(body: bytes, encoding: str) -> bytes:
    """The body, compressed by ``gzip`` or ``deflate``, fast rather than small."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS[encoding])
    return packer.compress(body) + packer.flush()
