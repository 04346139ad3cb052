"""Usual JPEGs: whatever is taken for one is what Pillow and the count of scans say of it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from tfaas_plugins.codecs.image.jpeg_scans import scans_of
from tfaas_plugins.codecs.image.usual_jpeg import usual_jpeg

from tests.plugins.codecs.image.images import file, gradient
from tfaas_core.errors import TooLarge
from tfaas_core.testing.tries import tries

COLOUR = gradient(19, 14)
EXIF = Image.Exif()
EXIF[0x0112] = 6
USUAL = {
    "colour": file(COLOUR, "JPEG"),
    "grey": file(COLOUR.convert("L"), "JPEG"),
    "EXIF": file(COLOUR, "JPEG", exif=EXIF, comment="made for a test"),
    "restarts": file(COLOUR, "JPEG", restart_marker_blocks=1, subsampling=0),
}
SCAN = b"\xff\xda"


def by_pillow(data: bytes) -> tuple[int, int] | None:
    """Its size; None if it is damaged, which whoever decodes it tells."""
    try:
        return JpegImageFile(io.BytesIO(data)).size
    except Exception:
        return None


def check(data: bytes) -> bool:
    """Whether it is usual; then the others say the same."""
    size = usual_jpeg(data)
    if size is not None:
        assert by_pillow(data) in (size, None)
        try:
            assert scans_of(data, "it") <= 1
        except TooLarge:
            pytest.fail("it has too many segments")
    return size is not None


@pytest.mark.parametrize("data", USUAL.values(), ids=USUAL)
def test_what_programs_write_is_usual(data: bytes) -> None:
    assert check(data)


@pytest.mark.parametrize(
    "data",
    [
        file(COLOUR, "JPEG", progressive=True),
        file(COLOUR.convert("CMYK"), "JPEG"),
        USUAL["colour"] + SCAN,
        USUAL["colour"] + bytes(1 << 18) + SCAN,
        USUAL["colour"][:-2] + bytes((1 << 18) - len(USUAL["colour"]) + 1) + SCAN,
        USUAL["colour"].replace(SCAN, b"\xff\xc0"),
        USUAL["colour"][:300],
        b"\xff\xd8\xff",
        b"\xff\xd8" + b"\xff\xfe\x00\x02" * 17 + USUAL["colour"][2:],
    ],
    ids=[
        *("progressive", "CMYK", "two scans", "far behind", "across steps", "two frames", "cut"),
        *("nothing", "many segments"),
    ],
)
def test_anything_else_is_not(data: bytes) -> None:
    assert not check(data)


@settings(max_examples=tries(300))
@given(st.sampled_from(sorted(USUAL.values())), st.integers(0, 700), st.binary(max_size=4))
def test_any_damage_is_noticed_or_harmless(data: bytes, at: int, put: bytes) -> None:
    at = 3 + at % (len(data) - 3)
    check(data[:at] + put + data[at + len(put) :])
