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
    bind,
    chunk,
    file,
    gradient,
    images,
    make_codec,
    picture,
    png_of,
    refusal,
    row,
    taking,
)
from tfaas_core.errors import BadBody, DoesNotFit, TooLarge
from tfaas_core.route import Head
from tfaas_core.tensors import Array

GREY = taking(None, None, None, 1)
COLOUR = taking(None, None, None, 3)
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

    def test_the_nearest_pixels_are_those_of_the_whole_picture(self) -> None:
        data = file(gradient(333, 517), "JPEG")
        whole = Image.open(io.BytesIO(data)).resize((10, 8), Image.Resampling.NEAREST)
        version = taking(None, 8, 10, 3, image={"resize": "nearest"})
        np.testing.assert_array_equal(row(data, version), np.asarray(whole))


def other_formats() -> dict[str, bytes]:
    written = ("GIF", "WebP", "BMP", "TIFF", "ICO", "PDF")
    return {name: file(gradient(4, 4), name) for name in written} | {
        "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
        "HEIF": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "JPEG XL": b"\xff\n\xfa\x7f",
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
        "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    }


class TestRefusal:
    @pytest.mark.parametrize(("name", "data"), other_formats().items())
    def test_the_format_of_another_picture_is_named(self, name: str, data: bytes) -> None:
        error = refusal(BadBody, images(data))
        assert error.details["got"] == name
        assert f"the format {name};" in error.message
        assert error.details["expected"] == ["PNG", "JPEG"]

    @pytest.mark.parametrize("data", [b"\0", b"hello", b"\x89PNG\n", b"BMW", b"\xff\xd8"])
    def test_what_is_no_picture_is_said_to_be_none(self, data: bytes) -> None:
        assert "neither a PNG nor a JPEG" in refusal(BadBody, images(data)).message

    def test_the_one_of_several_is_named(self) -> None:
        error = refusal(BadBody, images(file(gradient(2, 2)), b"x", file(gradient(2, 2))))
        assert "image 2 of 3" in error.message

    def test_an_animation_does_not_fit_but_a_single_frame_does(self) -> None:
        frames = [Image.new("L", (3, 3), shade) for shade in (0, 99)]
        moving = file(frames[0], save_all=True, append_images=frames[1:])
        assert "an animated PNG" in refusal(DoesNotFit, images(moving), GREY).message
        frame = struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 1, 0, 0)
        still = png_of(1, 1, 8, 0, b"\7", acTL=struct.pack(">II", 1, 0), fcTL=frame)
        assert row(still, GREY).tolist() == [[[7]]]

    @pytest.mark.parametrize(("format", "end_bytes"), [("PNG", len("....IEND....")), ("JPEG", 2)])
    def test_a_picture_that_was_cut_off_anywhere_is_a_bad_body(
        self, format: str, end_bytes: int
    ) -> None:
        data = file(gradient(40, 30), format)
        for length in (*range(8, len(data) - end_bytes, 5), len(data) - end_bytes - 1):
            message = refusal(BadBody, images(data[:length]), COLOUR).message
            assert f"damaged {format}" in message
            assert "buffer" not in message

    def test_a_png_with_one_changed_bit_is_a_bad_body(self) -> None:
        data = file(gradient(9, 9))
        for place in range(8, data.index(b"IEND") - 4):
            damaged = bytearray(data)
            damaged[place] ^= 0x20
            with pytest.raises((BadBody, TooLarge)):
                bind(images(bytes(damaged)), COLOUR)

    @pytest.mark.parametrize("key", ["transparency", "bbox", "interlace", "exif"])
    def test_a_text_that_pillow_takes_for_a_setting_is_a_bad_body(self, key: str) -> None:
        data = png_of(2, 1, 8, 2, bytes(6), tEXt=key.encode() + b"\0words")
        assert "damaged PNG" in refusal(BadBody, images(data), COLOUR).message

    def test_a_text_that_unpacks_to_too_much_is_a_bad_body(self) -> None:
        bomb = b"key\0\0" + zlib.compress(bytes(10_000_000))
        refusal(BadBody, images(png_of(1, 1, 8, 0, b"\0", zTXt=bomb)), GREY)


class TestLimits:
    def test_the_header_is_enough_to_refuse_a_large_picture(self) -> None:
        header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
        data = (
            b"\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", b"") + chunk("IEND", b"")
        )
        error = refusal(TooLarge, images(data))
        assert "100000 x 100000 pixels" in error.message
        assert "limits.max_image_pixels" in error.message
        assert error.details == {"field": "image", "expected": 1_000_000, "got": 10**10}

    def test_a_limit_above_pillows_own_holds_without_a_warning(self) -> None:
        data = png_of(60_000, 1, 1, 0, bytes(7500)).replace(
            struct.pack(">II", 60_000, 1), struct.pack(">II", 60_000, 60_000)
        )
        header = data[16:29]
        data = data[:8] + chunk("IHDR", header) + data[33:]
        (shown,) = make_codec(max_pixels=10**10).parse(data, Head.of_type("image/png")).pictures
        assert (shown.width, shown.height) == (60_000, 60_000)

    def test_exactly_the_limit_is_taken_for_all_images_together(self) -> None:
        data = file(gradient(4, 5))
        assert bind(images(data, data), COLOUR, make_codec(max_pixels=40)).rows == 2
        error = refusal(TooLarge, images(data, data), COLOUR, codec=make_codec(max_pixels=39))
        assert "limits.max_image_pixels" in error.message
        assert error.details["got"] == 40

    def test_many_small_images_may_be_too_large_once_they_are_resized(self) -> None:
        body = images(*[file(gradient(1, 1))] * 3)
        version = taking(None, 10, 10, 3)
        assert bind(body, version, make_codec(max_pixels=300)).rows == 3
        error = refusal(TooLarge, body, version, codec=make_codec(max_pixels=299))
        assert "limits.max_image_pixels" in error.message

    def test_a_jpeg_of_countless_scans_is_too_large(self) -> None:
        data = file(gradient(16, 16), "JPEG", progressive=True)
        last = data[data.rindex(b"\xff\xda") : -2]
        assert bind(images(data[:-2] + last * 50 + data[-2:]), COLOUR).rows == 1
        error = refusal(TooLarge, images(data[:-2] + last * 100 + data[-2:]), COLOUR)
        assert "scans" in error.message

    @pytest.mark.parametrize("name", ["iCCP", "zTXt", "iTXt"])
    def test_a_png_of_countless_compressed_texts_is_too_large(self, name: str) -> None:
        data = png_of(1, 1, 8, 0, b"\0")
        text = chunk(name, b"key\0\0" + zlib.compress(b"words"))
        assert row(data[:33] + text * 100 + data[33:], GREY).tolist() == [[[0]]]
        error = refusal(TooLarge, images(data[:33] + text * 101 + data[33:]), GREY)
        assert "101 compressed texts and profiles; 100 at most" in error.message
