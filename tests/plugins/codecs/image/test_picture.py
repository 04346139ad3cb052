"""Pictures as a person sees them, through the image codec."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.plugins.codecs.image.images import (
    file,
    gradient,
    images,
    picture,
    png_of,
    refusal,
    row,
    taking,
)
from tests.plugins.codecs.image.kinds import COLOUR, GREY
from tfaas_core.errors import BadBody
from tfaas_core.tensors import Array

ALPHA = taking(None, None, None, 4)

TURNED: dict[int, Callable[[Array], Array]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[ExifTags.Base.Orientation] = orientation
    return data


def shorts(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


class TestColours:
    @pytest.mark.parametrize(
        ("version", "expected"),
        [
            (COLOUR, [[[255, 0, 0], [9, 9, 9]]]),
            (GREY, [[[76], [9]]]),
            (ALPHA, [[[255, 0, 0, 255], [9, 9, 9, 255]]]),
        ],
        ids=["colour", "grey", "alpha"],
    )
    @pytest.mark.parametrize("mode", ["RGB", "P", "RGBA"])
    def test_colours_are_given_the_models_channels(
        self, version: Any, expected: Any, mode: str
    ) -> None:
        image = picture([[[255, 0, 0], [9, 9, 9]]])
        image = image.quantize(2) if mode == "P" else image.convert(mode)
        assert row(file(image), version).tolist() == expected

    def test_grey_is_the_same_in_every_colour(self) -> None:
        for mode in ("L", "LA"):
            data = file(picture([[0, 200]], mode))
            assert row(data, COLOUR).tolist() == [[[0, 0, 0], [200, 200, 200]]]
            assert row(data, GREY).tolist() == [[[0], [200]]]
            assert row(data, ALPHA)[..., 3].tolist() == [[255, 255]]

    @pytest.mark.parametrize(
        ("depth", "pixels", "expected"),
        [
            (1, b"\x50", [0, 255, 0, 255]),
            (2, b"\x1b", [0, 85, 170, 255]),
            (4, b"\x07\xf1", [0, 119, 255, 17]),
            (8, b"\0\x01\xfe\xff", [0, 1, 254, 255]),
            (16, shorts(0, 255, 256 * 99 + 98, 65535), [0, 0, 99, 255]),
        ],
    )
    def test_grey_of_any_depth_is_scaled_to_255(
        self, depth: int, pixels: bytes, expected: list[int]
    ) -> None:
        assert row(png_of(4, 1, depth, 0, pixels), GREY).tolist() == [[[v] for v in expected]]

    def test_of_16_bits_a_colour_the_upper_8_are_read(self) -> None:
        data = png_of(1, 1, 16, 2, shorts(0, 256 * 99 + 98, 65535))
        assert row(data, COLOUR).tolist() == [[[0, 99, 255]]]

    @pytest.mark.parametrize("version", [COLOUR, GREY], ids=["colour", "grey"])
    def test_a_cmyk_jpeg_has_the_colours_that_it_prints(self, version: Any) -> None:
        image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
        expected = [255, 0, 0] if version is COLOUR else [76]
        np.testing.assert_allclose(row(file(image, "JPEG"), version)[8, 8], expected, atol=3)

    def test_a_grey_jpeg_is_read(self) -> None:
        data = file(Image.new("L", (9, 5), 100), "JPEG")
        assert row(data, COLOUR).tolist() == [[[100, 100, 100]] * 9] * 5


PALETTE = bytes([255, 0, 0, 0, 0, 255])


class TestTransparency:
    """The first pixel lies over white, the second one is opaque."""

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (file(picture([[[255, 0, 0, 51], [0, 0, 255, 255]]])), [255, 204, 204]),
            (png_of(2, 1, 8, 3, b"\0\1", PLTE=PALETTE, tRNS=b"\x33"), [255, 204, 204]),
            (png_of(2, 1, 8, 3, b"\0\1", PLTE=PALETTE, tRNS=b"\0"), [255, 255, 255]),
            (png_of(2, 1, 8, 2, PALETTE, tRNS=shorts(255, 0, 0)), [255, 255, 255]),
        ],
        ids=["RGBA", "P with alphas", "P with one transparent", "RGB with one transparent"],
    )
    def test_colours_are_seen_over_white(self, data: bytes, expected: list[int]) -> None:
        assert row(data, COLOUR).tolist() == [[expected, [0, 0, 255]]]
        luma = round(np.dot(expected, [0.299, 0.587, 0.114]))
        assert row(data, GREY).tolist() == [[[luma], [29]]]

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (png_of(2, 1, 8, 4, bytes([0, 51, 100, 255])), [204, 100]),
            (png_of(2, 1, 8, 0, bytes([7, 100]), tRNS=shorts(7)), [255, 100]),
            (png_of(2, 1, 1, 0, b"\0", tRNS=shorts(0)), [255, 255]),
            (png_of(2, 1, 16, 0, shorts(0x0102, 0x0103), tRNS=shorts(0x0102)), [255, 1]),
        ],
        ids=["LA", "L", "1", "I;16"],
    )
    def test_grey_is_seen_over_white(self, data: bytes, expected: list[int]) -> None:
        assert row(data, GREY).tolist() == [[[value] for value in expected]]

    def test_a_model_of_four_channels_gets_the_alpha(self) -> None:
        data = file(picture([[[255, 0, 0, 51], [1, 2, 3, 0]]]))
        assert row(data, ALPHA).tolist() == [[[255, 0, 0, 51], [1, 2, 3, 0]]]
        data = png_of(2, 1, 16, 0, shorts(0x0102, 0x0103), tRNS=shorts(0x0102))
        assert row(data, ALPHA)[..., 3].tolist() == [[0, 255]]


class TestTurning:
    @pytest.mark.parametrize("orientation", TURNED)
    @pytest.mark.parametrize("format", ["PNG", "JPEG"])
    def test_the_picture_is_turned_as_its_exif_data_say(
        self, format: str, orientation: int
    ) -> None:
        stored = gradient(40, 24)
        data = file(stored, format, exif=exif(orientation), **({} if format == "PNG" else FINE))
        expected = TURNED[orientation](np.asarray(stored))
        tolerance = 0 if format == "PNG" else 4
        np.testing.assert_allclose(row(data, COLOUR), expected, atol=tolerance)

    @pytest.mark.parametrize("orientation", TURNED)
    def test_a_large_jpeg_is_turned_and_resized_alike(self, orientation: int) -> None:
        stored = gradient(403, 205)
        data = file(stored, "JPEG", exif=exif(orientation), **FINE)
        turned = picture(TURNED[orientation](np.asarray(stored)))
        expected = np.asarray(turned.resize((12, 16), Image.Resampling.BILINEAR), np.float32)
        np.testing.assert_allclose(row(data, taking(None, 16, 12, 3)), expected, atol=4)

    def test_the_rest_of_the_exif_data_may_be_such_that_nobody_could_write_it(self) -> None:
        # XResolution as a text instead of a rational, and DateTime as a number instead of a text.
        fields = [
            (0x0112, 3, 1, shorts(6, 0)),
            (0x011A, 2, 4, b"abc\0"),
            (0x0132, 3, 1, shorts(1, 0)),
        ]
        tiff = b"MM\0*" + struct.pack(">IH", 8, len(fields))
        tiff += b"".join(struct.pack(">HHI", *field[:3]) + field[3] for field in fields)
        data = file(gradient(3, 2), exif=b"Exif\0\0" + tiff + bytes(4))
        assert row(data, COLOUR).shape == (3, 2, 3)

    @pytest.mark.parametrize("compressed", [False, True])
    def test_a_png_is_turned_as_its_texts_say(self, compressed: bool) -> None:
        xmp, key = b'<x tiff:Orientation="3"/>', b"XML:com.adobe.xmp\0"
        text = b"\1\0\0\0" + zlib.compress(xmp) if compressed else b"\0\0\0\0" + xmp
        data = png_of(2, 1, 8, 0, bytes([7, 9]), iCCP=b"words", tEXt=b"a\0b", iTXt=key + text)
        assert row(data, taking(None, 1, 2, 1)).tolist() == [[[9], [7]]]

    def test_broken_exif_data_are_a_bad_body(self) -> None:
        data = png_of(1, 1, 8, 0, b"\0", eXIf=b"nonsense")
        assert "damaged PNG" in refusal(BadBody, images(data), GREY).message


FINE = {"quality": 100, "subsampling": 0}


class TestLargeJpegs:
    @pytest.mark.parametrize("version", [taking(None, 8, 10, 3), taking(None, 8, 10, 1)])
    @pytest.mark.parametrize("options", [{}, {"progressive": True}])
    def test_reading_one_in_part_changes_little(self, version: Any, options: Any) -> None:
        image = gradient(333, 517)
        data = file(image, "JPEG", **options)
        mode = "RGB" if version.signature.inputs[0].shape[3] == 3 else "L"
        small = image.convert(mode).resize((10, 8), Image.Resampling.BILINEAR)
        expected = np.asarray(small, np.float32).reshape(8, 10, -1)
        np.testing.assert_allclose(row(data, version), expected, atol=4)

    def test_fine_lines_up_to_the_very_edge_survive_it(self) -> None:
        lines = np.zeros((129, 129, 3), np.uint8)
        lines[:, ::3] = 255
        image = picture(lines)
        expected = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR), np.float32)
        got = row(file(image, "JPEG", **FINE), taking(None, 16, 16, 3))
        np.testing.assert_allclose(got, expected, atol=10)

    def test_the_params_say_how_far_one_is_reduced(self) -> None:
        data = file(gradient(64, 48), "JPEG")
        whole, half = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(data))
        half.draft(None, (24, 24))
        assert half.size == (32, 24)
        for params, image in (
            ({}, whole),
            ({"reduce": "fine"}, whole),
            ({"reduce": "fast"}, half),
            ({"reduce": "fast", "resize": "nearest"}, whole),
            ({"reduce": "off"}, whole),
        ):
            filter = Image.Resampling.NEAREST if "resize" in params else Image.Resampling.BILINEAR
            got = row(data, taking(None, 24, 24, 3, image=params))
            np.testing.assert_array_equal(got, np.asarray(image.resize((24, 24), filter)))
        small = row(data, taking(None, 6, 6, 3, image={"reduce": "off"}))
        expected = whole.resize((6, 6), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(small, np.asarray(expected))

    def test_the_nearest_pixels_are_those_of_the_whole_picture(self) -> None:
        data = file(gradient(333, 517), "JPEG")
        whole = Image.open(io.BytesIO(data)).resize((10, 8), Image.Resampling.NEAREST)
        version = taking(None, 8, 10, 3, image={"resize": "nearest"})
        np.testing.assert_array_equal(row(data, version), np.asarray(whole))
