"""Usual PNGs, as most programs write them: read with few steps, and the same as Pillow reads them.

Whatever is not as usual, and all that is damaged, is left to Pillow, which has words for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from struct import Struct as Layout
from typing import Any

import msgspec
from PIL import Image, ImageFile

from tfaas_plugins.codecs.image.layout import Mode
from tfaas_plugins.codecs.image.png_chunks import chunks_of, most_chunks

BEGINNING = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
"""Of each PNG of which the header comes first."""

_CORE: Any = getattr(Image, "core", None)
"""What Pillow's own functions call."""

_HEADER = Layout(">IIBBBBB")
_CHECKSUM = Layout(">I")
_HEADER_AT = 8
_BEFORE_BYTES = 8
"""Before what a chunk holds: its length and its name."""

_AROUND_BYTES = 12
"""These, and its checksum."""

_MODES: Mapping[int, Mode] = {0: "L", 2: "RGB", 6: "RGBA"}
"""By the type of colours, of 8 bits each."""

_LEAST_BYTES = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9, b"bKGD": 0, b"tIME": 0, b"sBIT": 0}
"""Of chunks that change no pixel."""


class UsualPng(msgspec.Struct, frozen=True):
    """A PNG of 8 bits, of one picture, with nothing that changes its pixels; its checksums hold.

    ``width`` and ``height`` are in pixels. ``pieces`` are its compressed pixels, in order.
    """

    width: int
    height: int
    mode: Mode
    pieces: list[memoryview]

    def values(self) -> bytes | None:
        """Its values, row by row; None if ``decoded`` is to be asked."""
        if not self._is_whole:
            return None
        size, mode = (self.width, self.height), self.mode
        try:
            # What Image.frombytes and Image.tobytes do, without what they do for all other formats.
            image = _CORE.new(mode, size)
            decoder = _CORE.zip_decoder(mode, mode, 0)
            decoder.setimage(image, (0, 0, *size))
            missing, error = decoder.decode(self.pieces[0])
            if missing >= 0 or error:
                return None
            encoder = _CORE.raw_encoder(mode, mode, 0, 1)
            encoder.setimage(image, (0, 0, *size))
            length = self.width * self.height * len(mode)
            values: bytes = encoder.encode(max(length, ImageFile.MAXBLOCK))[2]
        except Exception:  # another Pillow may have other ones
            return None
        return values if len(values) == length else None

    @property
    def _is_whole(self) -> bool:
        # What comes in several, Pillow tells from what is cut.
        return len(self.pieces) == 1 and len(self.pieces[0]) <= ImageFile.MAXBLOCK

    def decoded(self) -> Image.Image | None:
        """The picture; None if that is left to Pillow. Raises MemoryError."""
        if not self._is_whole:
            return None
        # The names of the pixels as they come and as they are kept; and that they come row by row.
        how = (self.mode, 0)
        try:
            return Image.frombytes(self.mode, (self.width, self.height), self.pieces[0], "zip", how)
        except MemoryError:
            raise
        except Exception:
            return None


def usual_png(data: bytes) -> UsualPng | None:
    """What ``data``, which begins as a PNG does, is; None if anything about it is unusual."""
    if not data.startswith(BEGINNING) or len(data) < len(BEGINNING) + _HEADER.size:
        return None
    width, height, depth, colour, *ways = _HEADER.unpack_from(data, len(BEGINNING))
    mode = _MODES.get(colour)
    if mode is None or depth != 8 or any(ways) or not width or not height:
        return None
    pieces = _pieces(data)
    return UsualPng(width, height, mode, pieces) if pieces else None


def _pieces(data: bytes) -> list[memoryview] | None:
    """The pixels, compressed; None if there is a chunk that is unusual, or damaged."""
    view = memoryview(data)
    pieces: list[memoryview] = []
    pixels_end = 0
    left = most_chunks(len(data))
    for name, begin, end in chunks_of(data):
        if name == b"IEND":
            return pieces
        left -= 1
        if left < 0:
            return None
        (checksum,) = _CHECKSUM.unpack_from(data, end - 4)
        if zlib.crc32(view[begin + 4 : end - 4]) != checksum:
            return None
        if name == b"IDAT":
            # Those that others part from the first ones, Pillow does not read.
            if pixels_end not in (0, begin):
                return None
            pieces.append(view[begin + _BEFORE_BYTES : end - 4])
            pixels_end = end
        elif begin > _HEADER_AT:
            least = _LEAST_BYTES.get(name)
            if least is None or end - begin - _AROUND_BYTES < least:
                return None
    return None
