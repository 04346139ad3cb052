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
    @pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt"])
    def test_a_text_is_not_taken_for_anything_else(self, kind: str, key: str) -> None:
        between = {"tEXt": b"\0", "zTXt": b"\0\0", "iTXt": bytes(5)}[kind]
        text = zlib.compress(b"words") if kind == "zTXt" else b"words"
        data = png_of(2, 1, 8, 2, bytes(range(6)), **{kind: key.encode() + between + text})
        assert row(data, taking(None, 1, 2, 3)).tolist() == [[[0, 1, 2], [3, 4, 5]]]


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

    def test_as_many_scans_are_read_as_the_pixels_allow(self) -> None:
        # Of whole blocks of 32 by 32 pixels, 20 times as many as there may be.
        codec = make_codec(max_pixels=100_000)
        small, large = gradient(16, 16), gradient(300, 300)
        assert bind(images(with_scans(small, 500)), COLOUR, codec).rows == 1
        assert bind(images(with_scans(large, 19)), COLOUR, codec).rows == 1
        error = refusal(TooLarge, images(with_scans(large, 20)), COLOUR, codec=codec)
        assert "20 scans" in error.message
        assert "limits.max_image_pixels" in error.message
        assert error.details["got"] == 320 * 320 * 20
        # All images count together.
        refusal(TooLarge, images(*[with_scans(gradient(64, 64), 99)] * 6), COLOUR, codec=codec)

    def test_what_stands_behind_a_jpeg_is_no_scan_of_it(self) -> None:
        data = file(gradient(300, 300), "JPEG") + b"\xff\xda" * 5000
        assert bind(images(data), COLOUR, make_codec(max_pixels=100_000)).rows == 1

    def test_more_scans_than_take_a_millisecond_are_heavy(self) -> None:
        codec, head = make_codec(), Head.of_type("image/jpeg")
        image = gradient(128, 128)
        assert not codec.is_heavy(codec.parse(with_scans(image, 10), head), COLOUR)
        assert codec.is_heavy(codec.parse(with_scans(image, 90), head), COLOUR)

    @pytest.mark.parametrize(
        ("piece", "what"),
        [
            (b"\xff\xfe\0\2", "1000 segments"),
            (b"\xff", "1000 segments"),
            (b"\xff\xfe\0\2?", "1000 segments"),
            (b"\xff\xe1\0\x0cExif\0\0II*\0", "16 segments of EXIF"),
        ],
    )
    def test_a_jpeg_of_countless_segments_is_too_large(self, piece: bytes, what: str) -> None:
        data = file(gradient(4, 4), "JPEG")
        error = refusal(TooLarge, images(data[:2] + piece * 1001 + data[2:]), COLOUR)
        assert f"a JPEG of more than {what}" in error.message

    def test_a_png_of_countless_chunks_is_too_large(self) -> None:
        data = png_of(1, 1, 8, 0, b"\0")
        for empty in (chunk("IDAT", b""), chunk("tEXt", b""), chunk("abCd", b"")):
            assert row(data[:-12] + empty * 900 + data[-12:], GREY).tolist() == [[[0]]]
            error = refusal(TooLarge, images(data[:-12] + empty * 1100 + data[-12:]), GREY)
            assert "a PNG of more than 10" in error.message
            assert "chunks" in error.message

    @pytest.mark.parametrize("name", ["iCCP", "zTXt", "iTXt"])
    def test_texts_and_profiles_of_a_png_are_not_unpacked(self, name: str) -> None:
        data = png_of(1, 1, 8, 0, b"\0")
        bomb = chunk(name, b"key\0\0" + zlib.compress(bytes(10_000_000)))
        assert row(data[:33] + bomb * 200 + data[33:], GREY).tolist() == [[[0]]]
        assert row(data[:-12] + bomb * 200 + data[-12:], GREY).tolist() == [[[0]]]


def with_scans(image: Image.Image, scans: int) -> bytes:
    """A progressive JPEG of so many scans, the last ones of which change nothing."""
    data = file(image, "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (scans - data.count(b"\xff\xda")) + data[-2:]
