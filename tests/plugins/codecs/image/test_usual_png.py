"""Usual PNGs: whatever is taken for one is what Pillow reads of it, to the last pixel."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import PngImagePlugin
from tfaas_plugins.codecs.image.picture import DamagedError, show, show_usual
from tfaas_plugins.codecs.image.png_chunks import MOST_CHUNKS
from tfaas_plugins.codecs.image.usual_png import usual_png

from tests.plugins.codecs.image.images import chunk, file, gradient, png_of
from tfaas_core.tensors import Array
from tfaas_core.testing.tries import tries

MODES = ("L", "RGB", "RGBA")
BEGINNING = b"\x89PNG\r\n\x1a\n"
USUAL = {mode: file(gradient(9, 7).convert(mode)) for mode in MODES}

headers = st.builds(
    lambda *fields: struct.pack(">IIBBBBB", *fields),
    *(st.integers(1, 4), st.integers(1, 4)),
    *(st.sampled_from([8] * 9 + [16]), st.sampled_from([0, 2, 6, 0, 2, 6, 3, 4])),
    *(st.sampled_from([0] * 19 + [1]) for _ in range(3)),
)
pixels = st.lists(st.integers(0, 5), max_size=80).map(bytes).map(zlib.compress)
levels = pixels.map(lambda data: [("IDAT", data)]) | st.builds(
    lambda data, at: [("IDAT", data[:at]), ("IDAT", data[at:])], pixels, st.integers(0, 40)
)
names = st.sampled_from(["gAMA", "pHYs", "sRGB", "tIME", "bKGD"] * 3 + ["tRNS", "IDAT", "IEND"])
others = st.lists(st.tuples(names, st.binary(max_size=40)), max_size=2)
chunks = st.builds(lambda *parts: [*chain(*parts)], others, levels, others)


def whole(header: bytes, *parts: tuple[str, bytes]) -> bytes:
    all_parts = [("IHDR", header), *parts, ("IEND", b"")]
    return BEGINNING + b"".join(chunk(name, content) for name, content in all_parts)


def by_pillow(data: bytes, mode: str) -> Array | None:
    """uint8 [height, width, ...]; None if the file is damaged."""
    try:
        PngImagePlugin.PngImageFile(io.BytesIO(data)).verify()
        shown = show(data, "PNG", mode, None)  # type: ignore[arg-type]
        return shown.pixels(shown.width, shown.height, None)
    except (DamagedError, SyntaxError, OSError, ValueError):
        return None


def check(data: bytes) -> bool:
    """Whether it is usual; then it holds the same as Pillow reads."""
    usual = usual_png(data)
    for mode in MODES if usual else ():
        assert usual is not None
        shown = show_usual(usual, mode)  # type: ignore[arg-type]
        if shown is not None:
            expected = by_pillow(data, mode)
            assert expected is not None
            np.testing.assert_array_equal(
                shown.pixels(shown.width, shown.height, None), expected, strict=True
            )
        if mode == usual.mode:
            whole = None if shown is None else shown.pixels(usual.width, usual.height, None)
            assert usual.values() == (None if whole is None else whole.tobytes())
    return usual is not None


@pytest.mark.parametrize("mode", MODES)
def test_what_programs_write_is_usual(mode: str) -> None:
    assert check(USUAL[mode])
    assert check(file(gradient(300, 200).convert(mode), dpi=(72, 72)))
    split = USUAL[mode].index(b"IDAT")
    (length,) = struct.unpack(">I", USUAL[mode][split - 4 : split])
    levels = USUAL[mode][split + 4 : split + 4 + length]
    header = USUAL[mode][16:29]
    assert check(whole(header, ("IDAT", levels[:20]), ("IDAT", b""), ("IDAT", levels[20:])))


@pytest.mark.parametrize(
    "data",
    [
        png_of(4, 1, 16, 0, bytes(8)),
        png_of(4, 1, 8, 3, bytes(4), PLTE=bytes(6)),
        png_of(2, 1, 8, 2, bytes(6), tRNS=bytes(6)),
        file(gradient(3, 2), exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
        USUAL["L"].replace(b"IDAT", b"IDAT\0"),
        USUAL["RGB"][:-20],
        BEGINNING,
        whole(struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0), *[("tIME", b"")] * (MOST_CHUNKS + 1)),
    ],
    ids=["16 bits", "palette", "transparent", "EXIF", "damaged", "cut", "nothing", "chunks"],
)
def test_anything_else_is_not(data: bytes) -> None:
    assert not check(data)


@settings(max_examples=tries(100))
@given(headers, chunks)
def test_any_chunks_are_read_as_pillow_reads_them(
    header: bytes, parts: list[tuple[str, bytes]]
) -> None:
    check(whole(header, *parts))


@settings(max_examples=tries(100))
@given(st.sampled_from(sorted(USUAL.values())), st.integers(0, 400), st.binary(max_size=3))
def test_any_damage_is_noticed_or_harmless(data: bytes, at: int, put: bytes) -> None:
    at %= len(data)
    check(data[:at] + put + data[at + len(put) :])
