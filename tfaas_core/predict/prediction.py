"""Prediction: what a codec writes of a model's outputs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.models.model import ModelVersion
from tfaas_core.routing.in_flight import InFlight, uncounted_bytes
from tfaas_core.tensors import Array, Bound, by_name

LARGE_ANSWER_BYTES = 1 << 18
"""Of all outputs: larger ones are written in a thread."""


class Prediction(msgspec.Struct, frozen=True):
    """An answer, and the version that gave it.

    ``held_bytes``: what its pieces are made of, as far as that does not count as in flight by
    itself.
    """

    encoded: Encoded
    version: ModelVersion
    held_bytes: int = 0


def take_long(outputs: Iterable[Array]) -> bool:
    """Whether they are to be written in a thread."""
    size = 0
    for output in outputs:
        size += output.nbytes
    return size > LARGE_ANSWER_BYTES


def encoded_by(
    codec: Codec[Any],
    answering: Codec[Any] | None,
    outputs: list[Array],
    bound: Bound,
    document: Document,
    version: ModelVersion,
) -> Encoded:
    """The answer to what ``codec`` read, written by ``answering``, or else by ``codec``, too."""
    named = by_name(version.signature, outputs)
    if answering is None or answering is codec:
        return codec.encode(named, bound, document, version)
    return answering.encode_other(named, bound, version)


async def large_prediction(
    write: Callable[[], Awaitable[Encoded]],
    outputs: list[Array],
    version: ModelVersion,
    in_flight: InFlight,
) -> Prediction:
    """What ``write`` gives, in a thread, of outputs that count as in flight until then.

    Raises TooLarge if ``in_flight`` never has room for them, or the answer, Unavailable if it has
    none now, and what ``write`` raises.
    """
    size = sum(output.nbytes for output in outputs)
    in_flight.check_fits(size)
    uncounted = uncounted_bytes(outputs)
    async with in_flight.holding(uncounted), in_flight.writing(size):
        encoded = await write()
    if encoded.pieces is not None:
        return Prediction(encoded, version, uncounted)
    body_bytes = len(encoded.body)
    in_flight.check_fits(body_bytes)
    # It takes the place of what it was written from.
    in_flight.check_room(body_bytes - (size - uncounted))
    return Prediction(encoded, version)
