"""Decoding: from a picture's bytes to its values, here or in a confined process."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from math import prod
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfaas_core.decoding.decoder import Decoder, Decoders
from tfaas_core.errors import Unavailable
from tfaas_core.system.resources.pages import are_there
from tfaas_core.texts.unreadable import UNREADABLE
from tfaas_plugins.codecs.image.layout import Layout, Mode
from tfaas_plugins.codecs.image.picture import (
    DamagedError,
    Format,
    Picture,
    lacks_memory,
    show,
    show_usual,
    told_of,
)
from tfaas_plugins.codecs.image.shown import Shown

WORK = f"{__name__}:decode"

_CHANNELS: dict[Mode, int] = {"L": 1, "RGB": 3, "RGBA": 4}
MOST_CHANNELS = max(_CHANNELS.values())


T = TypeVar("T")


class Wish(msgspec.Struct, frozen=True, array_like=True):
    """What a model wants of a picture: see ``show``, and the size that ``layout`` gives it.

    If that is more than ``most_pixels``, or another size than the picture's own and ``resample`` is
    None, its values are not wanted; nor are they if ``layout`` is None.
    """

    mode: Mode
    least: int | None
    layout: Layout | None = None
    resample: int | None = None
    most_pixels: int = 0

    def size_for(self, width: int, height: int) -> tuple[int, int] | None:
        """Of a picture that a person sees in this size; None if its values are not wanted."""
        if self.layout is None:
            return None
        size = self.layout.size_for(width, height)
        fits = self.resample is not None or size == (width, height)
        return size if fits and size[0] * size[1] <= self.most_pixels else None


class Decoded(msgspec.Struct, frozen=True):
    """``width`` and ``height`` are of what a person sees; ``pixels`` as ``Shown.pixels`` are."""

    width: int
    height: int
    pixels: NDArray[np.uint8] | None


class _Job(msgspec.Struct, frozen=True, array_like=True):
    format: Format
    wish: Wish


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    width: int = 0
    height: int = 0
    damage: str | None = None
    lacks_memory: bool = False


_to_bytes = msgspec.msgpack.Encoder().encode
_to_job = msgspec.msgpack.Decoder(_Job).decode
_to_answer = msgspec.msgpack.Decoder(_Answer).decode


class PictureDecoding:
    """Decodes here, until it has ``decoders``; then those with more than ``most_here`` pixels."""

    def __init__(self, most_here: int) -> None:
        self.decoders: Decoders | None = None
        self.most_here = most_here

    def is_here(self, picture: Picture) -> bool:
        """Whether it is decoded in this process."""
        return self.decoders is None or picture.pixels <= self.most_here

    def decoded(self, picture: Picture, wish: Wish, take: Callable[[Decoded], T]) -> T:
        """What ``take`` makes of the picture as it is wished; then the values may be gone.

        Not for the event loop, unless it is decoded here. Raises BadBody if it is damaged, and
        Unavailable.
        """
        place = picture.sent.place
        if self.decoders is None or self.is_here(picture):
            return take(_decoded_here(picture, wish))

        def read(answer: bytes, decoder: Decoder) -> T:
            decoded = _read(picture, wish, answer, decoder)
            taken = take(decoded)
            if decoded.pixels is not None:
                decoder.shrink(decoded.pixels.nbytes)
            return taken

        job = _to_bytes(_Job(picture.format, wish))
        try:
            return self.decoders.ask(job, picture.data, place, read)
        except MemoryError:
            raise lacks_memory(place) from None


def decode(job: bytes, data: memoryview, shared: mmap.mmap) -> bytes:
    """What a decoder does: the values go into the shared memory."""
    asked = _to_job(job)
    try:
        shown = show(data, asked.format, asked.wish.mode, asked.wish.least)
        decoded = _decoded(shown, asked.wish)
    except MemoryError:
        return _to_bytes(_Answer(lacks_memory=True))
    except DamagedError as error:
        return _to_bytes(_Answer(damage=str(error)[:1000]))
    if decoded.pixels is not None:
        if not are_there(shared, 0, decoded.pixels.size, to_write=True):
            return _to_bytes(_Answer(lacks_memory=True))
        target = np.frombuffer(shared, np.uint8, decoded.pixels.size)
        target[:] = decoded.pixels.reshape(-1)
    return _to_bytes(_Answer(decoded.width, decoded.height))


def _decoded_here(picture: Picture, wish: Wish) -> Decoded:
    if picture.usual is not None:
        try:
            if (shown := show_usual(picture.usual, wish.mode)) is not None:
                return _decoded(shown, wish)
        except MemoryError:
            raise lacks_memory(picture.sent.place) from None
    with told_of(picture.sent.place, picture.format):
        return _decoded(show(picture.data, picture.format, wish.mode, wish.least), wish)


def _decoded(shown: Shown, wish: Wish) -> Decoded:
    size = wish.size_for(shown.width, shown.height)
    pixels = None if size is None else shown.pixels(*size, wish.resample)
    return Decoded(shown.width, shown.height, pixels)


def _read(picture: Picture, wish: Wish, answer: bytes, decoder: Decoder) -> Decoded:
    place = picture.sent.place
    try:
        told = _to_answer(answer)
    except UNREADABLE:
        told = _Answer()
    with told_of(place, picture.format):
        if told.damage is not None:
            raise DamagedError(told.damage)
        if told.lacks_memory:
            raise MemoryError
    seen = told.width, told.height
    if seen not in ((picture.width, picture.height), (picture.height, picture.width)):
        raise Unavailable(f"the process that decoded {place} does not say what it has seen")
    size = wish.size_for(*seen)
    if size is None:
        return Decoded(*seen, None)
    shape = (size[1], size[0], _CHANNELS[wish.mode])[: 2 if wish.mode == "L" else 3]
    values = np.frombuffer(decoder.wrote(prod(shape)), np.uint8)
    return Decoded(*seen, values.reshape(shape))
