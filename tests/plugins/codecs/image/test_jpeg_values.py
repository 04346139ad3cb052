"""JPEGs that are decoded straight into memory have the values that Pillow gives them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from PIL.Image import Resampling
from tfaas_plugins.codecs.image import jpeg_values, picture
from tfaas_plugins.codecs.image.layout import Mode
from tfaas_plugins.codecs.image.picture import DamagedError, show

from tests.plugins.codecs.image.images import file, gradient
from tests.plugins.codecs.image.test_resizing import photo
from tfaas_core.tensors import Array
from tfaas_core.testing.tries import tries

if os.environ.get("CI") != "true":  # there, it must be installed
    pytest.importorskip("simplejpeg", reason="tfaas[fast] is not installed")

MODES: list[Mode] = ["L", "RGB", "RGBA"]
EXIF = Image.Exif()
PHOTO = photo(203, 150, "RGB")
KINDS: dict[str, bytes] = {
    "colour": file(PHOTO, "JPEG"),
    "fine": file(PHOTO, "JPEG", quality=98, subsampling=0),
    "rough": file(PHOTO, "JPEG", quality=10, subsampling=1),
    "progressive": file(PHOTO, "JPEG", progressive=True),
    "restarts": file(PHOTO, "JPEG", restart_marker_blocks=3),
    "grey": file(PHOTO.convert("L"), "JPEG"),
    "RGB as it is": file(PHOTO, "JPEG", keep_rgb=True),
    "CMYK": file(PHOTO.convert("CMYK"), "JPEG"),
    "small": file(PHOTO.crop((0, 0, 1, 1)), "JPEG"),
}
for number in range(2, 9):
    EXIF[0x0112] = number
    KINDS[f"turned, {number}"] = file(PHOTO, "JPEG", exif=EXIF)


def values(data: bytes, mode: Mode, side: int | None = None, least: int | None = None) -> Array:
    """In the picture's own size, or in a square."""
    shown = show(data, "JPEG", mode, least)
    size = (shown.width, shown.height) if side is None else (side, side)
    return shown.pixels(*size, Resampling.BILINEAR)


def by_pillow(data: bytes, *wish: Any) -> Array:
    """The same without the library."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jpeg_values, "decode_jpeg", None)
        return values(data, *wish)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_values_are_pillows(kind: str, mode: Mode) -> None:
    for wish in [(None, None), (40, None), (40, 80), (300, 600)]:
        expected = by_pillow(KINDS[kind], mode, *wish)
        np.testing.assert_array_equal(values(KINDS[kind], mode, *wish), expected, strict=True)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "CMYK"])
def test_usual_ones_are_not_decoded_by_pillow(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    assert values(KINDS[kind], "RGB").shape[2] == 3


@pytest.mark.parametrize("kind", ["colour", "grey", "restarts", "RGB as it is"])
def test_of_plain_ones_pillow_reads_not_even_the_header(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "_open", None)
    assert values(KINDS[kind], "RGB").shape == (150, 203, 3)


def test_one_that_libjpeg_warns_of_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    decoding: Any = vars(jpeg_values)["decode_jpeg"]

    def decode(data: bytes, *how: Any, **named: Any) -> Any:
        tried.append(len(data))
        return decoding(data, *how, **named)

    monkeypatch.setattr(jpeg_values, "decode_jpeg", decode)
    warned_of = KINDS["colour"][:-2] + bytes(20) + KINDS["colour"][-2:]
    np.testing.assert_array_equal(values(warned_of, "RGB"), by_pillow(KINDS["colour"], "RGB"))
    assert len(tried) == 1


@settings(max_examples=tries(150))
@given(
    st.sampled_from([file(gradient(40, 30), "JPEG"), file(gradient(40, 30).convert("L"), "JPEG")]),
    st.floats(0, 1),
    st.binary(max_size=3),
    st.booleans(),
)
def test_of_what_is_damaged_pillow_has_the_last_word(
    data: bytes, share: float, put: bytes, is_cut: bool
) -> None:
    at = round(share * len(data))
    damaged = data[:at] + put + (b"" if is_cut else data[at + len(put) :])
    try:
        expected: Array | str = by_pillow(damaged, "RGB")
    except DamagedError as error:
        expected = str(error)
    try:
        got: Array | str = values(damaged, "RGB")
    except DamagedError as error:
        got = str(error)
    np.testing.assert_array_equal(got, expected)
