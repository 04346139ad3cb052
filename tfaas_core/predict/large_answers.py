"""Large answers: compressed where that is asked for, and never there twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import aclosing
from typing import Protocol

from tfaas_core.codec import Encoded
from tfaas_core.config import Config
from tfaas_core.predict.compressed_answers import (
    ANSWER_ENCODINGS,
    compressed_body,
    compressing,
    in_pieces,
)
from tfaas_core.predict.predictor import Predictor
from tfaas_core.route import Head, Response
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.streams import in_threads
from tfaas_core.texts.content_encodings import preferred

MOST_BRIEF_BYTES = 1 << 16
"""What is shorter, no time is spent on."""

_LONG_BYTES = 1 << 20
"""What is longer is compressed while it is sent."""

_VARY, _ACCEPTED = "Vary", "Accept-Encoding"
_ENCODING = "Content-Encoding"

_KIND = "deflating"
"""Of threads: it takes long, and nothing else waits for it."""


class Sending(Protocol):
    """What of a Host sends answers."""

    config: Config
    in_flight: InFlight
    predictor: Predictor


async def large_answer(
    host: Sending, head: Head, encoded: Encoded, headers: dict[str, str], held_bytes: int = 0
) -> Response:
    """The answer to the request of ``head``, compressed if that says so.

    ``held_bytes``: what its pieces are made of. That, or the body, counts as in flight until it is
    sent.
    """
    encoding = _encoding_for(host, head, headers)
    body, pieces = encoded.body, encoded.pieces
    if pieces is None and encoding and len(body) <= _LONG_BYTES:
        body = await host.predictor.in_thread(compressed_body, body, encoding, kind=_KIND)
    elif pieces is None and encoding:
        pieces, held_bytes = compressing(in_pieces(body), encoding), len(body)
    elif pieces is not None and encoding:
        pieces = compressing(pieces, encoding)
    if pieces is None:
        return Response(body, media_type=encoded.media_type, headers=headers)
    stream = _sent(host.in_flight, held_bytes, pieces)
    return Response(media_type=encoded.media_type, headers=headers, stream=stream)


def _encoding_for(host: Sending, head: Head, headers: dict[str, str]) -> str:
    """That by which it is to be compressed; ``headers`` say so, and what it depends on."""
    names = {name.lower(): name for name in headers}
    if not host.config.server.compress_answers or _ENCODING.lower() in names:
        return ""
    vary = names.get(_VARY.lower(), _VARY)
    headers[vary] = f"{headers[vary]}, {_ACCEPTED}" if vary in headers else _ACCEPTED
    encoding = preferred(",".join(head.headers.all(_ACCEPTED.lower())), ANSWER_ENCODINGS)
    if encoding:
        headers[_ENCODING] = encoding
    return encoding


async def _sent(in_flight: InFlight, size: int, pieces: Generator[bytes]) -> AsyncIterator[bytes]:
    with in_flight.kept(size):
        async with aclosing(in_threads(pieces)) as stream:
            async for piece in stream:
                yield piece
