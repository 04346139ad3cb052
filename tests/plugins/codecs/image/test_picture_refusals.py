"""Pictures that are refused: broken, of another kind, or too large."""

from __future__ import annotations

import struct
import zlib

import pytest
from PIL import Image

from tests.plugins.codecs.image.images import (
    bind,
    chunk,
    file,
    gradient,
    images,
    make_codec,
    png_of,
    refusal,
    row,
    taking,
)
from tests.plugins.codecs.image.kinds import COLOUR, GREY
from tfaas_core.errors import BadBody, DoesNotFit, TooLarge
from tfaas_core.route import Head


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
