"""A picture: PNG or JPEG, told by its content; what its header says, and what a person sees."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin

from tfaas_core.errors import BadBody, DoesNotFit, Unavailable
from tfaas_plugins.codecs.image.jpeg_scans import scans_of
from tfaas_plugins.codecs.image.jpeg_values import JpegValues, jpeg_values
from tfaas_plugins.codecs.image.layout import Mode
from tfaas_plugins.codecs.image.picture_form import SentImage
from tfaas_plugins.codecs.image.png_chunks import without_texts
from tfaas_plugins.codecs.image.shown import TURNS, Shown
from tfaas_plugins.codecs.image.usual_jpeg import jpeg_header, usual_jpeg
from tfaas_plugins.codecs.image.usual_png import UsualPng, usual_png

Format: TypeAlias = Literal["PNG", "JPEG"]

_BEGINNINGS: Mapping[Format, bytes] = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff"}
_MOST_BEGINNING_BYTES = 1024
_MOST_BLOCK_SIDE = 32
"""Of what a JPEG is made of, in pixels: it always has whole blocks."""

_OTHER_BEGINNINGS = {
    "GIF": rb"GIF8[79]a",
    "WebP": rb"RIFF.{4}WEBP",
    "BMP": rb"BM.{4}\0{4}",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "AVIF": rb".{4}ftypavi[fs]",
    "HEIF": rb".{4}ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)",
    "JPEG 2000": rb"\0{3}\x0cjP  |\xffO\xffQ",
    "JPEG XL": rb"\0{3}\x0cJXL |\xff\n",
    "ICO": rb"\0\0\x01\0",
    "PDF": rb"%PDF-",
    "SVG": rb"\s*(<\?xml[^>]*>\s*)?<svg",
}
# Damaged EXIF data is no news for the log: what the picture needs of it is read, or it is a 400.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class Picture(msgspec.Struct, frozen=True):
    """A picture whose header was read. ``width`` and ``height`` are in pixels, as stored.

    ``data`` is what is decoded of what was ``sent``. ``scans``: how often all pixels are gone
    through for that. ``usual`` is the same as ``data``, if that is a usual PNG.
    """

    sent: SentImage
    format: Format
    data: bytes
    width: int
    height: int
    scans: int = 1
    usual: UsualPng | None = None

    @classmethod
    def of(cls, sent: SentImage) -> Picture:
        """Reads the header, and checks what can be checked without decoding.

        Raises BadBody if it is no PNG or JPEG, or a damaged one; DoesNotFit if it is
        animated; TooLarge if it has too many pieces.
        """
        format = next((kind for kind, b in _BEGINNINGS.items() if sent.data.startswith(b)), None)
        if format is None:
            raise _neither(sent)
        data, scans = sent.data, 1
        if format == "PNG":
            if (usual := cls.usual_of(sent)) is not None:
                return usual
            data = without_texts(data, sent.place)
            if data is not sent.data and (usual := cls.usual_of(sent, data)) is not None:
                return usual
        elif (size := usual_jpeg(data)) is not None:
            return cls(sent, format, data, *size)
        else:
            scans = max(1, scans_of(data, sent.place))
        with told_of(sent.place, format), _reading():
            image = _open(data, format)
            # Compares a PNG's checksums, which decoding does not: of pixels that changed on their
            # way nobody wants a prediction.
            image.verify()
        if getattr(image, "is_animated", False):
            raise DoesNotFit(
                f"{sent.place} is an animated PNG; send one of its pictures by itself",
                field="image",
            )
        return cls(sent, format, data, *image.size, scans)

    @classmethod
    def usual_of(cls, sent: SentImage, data: bytes | None = None) -> Picture | None:
        """The same of a usual PNG, in little time; None: it is none. ``data``: if not as sent."""
        data = sent.data if data is None else data
        png = usual_png(data)
        return None if png is None else cls(sent, "PNG", data, png.width, png.height, usual=png)

    @property
    def pixels(self) -> int:
        """How many it has."""
        return self.width * self.height

    @property
    def work(self) -> int:
        """How many pixels are gone through when it is decoded."""
        if self.format == "PNG":
            return self.pixels
        width, height = (side + -side % _MOST_BLOCK_SIDE for side in (self.width, self.height))
        return width * height * self.scans


class DamagedError(Exception):
    """The picture cannot be decoded; the text says why, if there are words for people."""


def show(data: bytes | memoryview, format: Format, mode: Mode, least: int | None) -> Shown:
    """Decodes a picture into ``mode``, as a person sees it: transparency over white.

    Where ``least`` is given, a JPEG is read in a half, a quarter or an eighth of its size, as
    long as no side gets shorter than ``least`` pixels. Raises DamagedError, and MemoryError.
    """
    plain = _plain_size(data, least) if format == "JPEG" else None
    if plain is not None and (values := jpeg_values(data, plain, mode)) is not None:
        return Shown(values, (0, 0, *plain), None, *plain)
    with _reading():
        image = _open(data, format)
        width, height = image.size
        size = None if least is None else (least, least)
        draft = image.draft("L" if mode == "L" else None, size)
        flat: Image.Image | JpegValues | None = None
        is_whole = image.size == (width, height) and image.mode in ("L", "RGB")
        if format == "JPEG" and plain is None and is_whole:
            flat = jpeg_values(data, image.size, mode)
        if flat is None:
            image.load()
            flat = _converted(image, mode)
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    box = draft[1] if draft else (0, 0, *image.size)
    return Shown(flat, box, turn, width, height)


def _plain_size(data: bytes | memoryview, least: int | None) -> tuple[int, int] | None:
    """Width and height of a usual JPEG that is neither turned nor read in less than its full size;
    None: it is another one."""
    header = jpeg_header(data)
    if header is None or not header.is_upright:
        return None
    is_reduced = least is not None and min(header.size) >= 2 * least
    return None if is_reduced else header.size


def show_usual(png: UsualPng, mode: Mode) -> Shown | None:
    """The same of a usual PNG; None if it is damaged. Raises MemoryError."""
    image = png.decoded()
    if image is None:
        return None
    return Shown(_converted(image, mode), (0, 0, *image.size), None, *image.size)


def _neither(sent: SentImage) -> BadBody:
    for format, pattern in _OTHER_BEGINNINGS.items():
        if re.match(pattern, sent.data[:_MOST_BEGINNING_BYTES], re.DOTALL):
            return BadBody(
                f"{sent.place} is a picture in the format {format}; send a PNG or a JPEG",
                field="image",
                expected=list(_BEGINNINGS),
                got=format,
            )
    hint = "" if sent.filename is not None else " (with curl: -F image=@file.png)"
    return BadBody(
        f"{sent.place} is neither a PNG nor a JPEG{hint}",
        field="image",
        expected=list(_BEGINNINGS),
    )


def _open(
    data: bytes | memoryview, format: Format
) -> PngImagePlugin.PngImageFile | JpegImagePlugin.JpegImageFile:
    # Not by Image.open, which warns of large pictures on the way; here, a limit of ours holds.
    file = io.BytesIO(data)
    if format == "PNG":
        return PngImagePlugin.PngImageFile(file)
    return JpegImagePlugin.JpegImageFile(file)


@contextmanager
def _reading() -> Iterator[None]:
    """Whatever Pillow raises is a DamagedError: a damaged file makes it fail in many ways."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        # These two are raised with words for people, unless they only pass on another error.
        has_words = isinstance(error, OSError | SyntaxError) and error.__cause__ is None
        raise DamagedError(str(error) if has_words else "") from None


@contextmanager
def told_of(place: str, format: Format) -> Iterator[None]:
    """Tells of what ``show`` raises as a TfaasError: ``place`` is how it names the picture."""
    try:
        yield
    except MemoryError:
        raise lacks_memory(place) from None
    except DamagedError as error:
        reason = "".join(filter(str.isprintable, str(error)))[:120]
        raise BadBody(
            f"{place} is a damaged {format}{': ' * bool(reason)}{reason}", field="image"
        ) from None


def lacks_memory(place: str) -> Unavailable:
    """What a client is told whose picture, which messages name so, takes too much memory."""
    return Unavailable(f"there is not enough memory to decode {place}")


def _converted(image: Image.Image, mode: Mode) -> Image.Image:
    if image.mode == "I;16":
        image = _of_8_bits(image)
    if image.has_transparency_data and mode != "RGBA":
        colours = image.convert("RGBA")
        image = Image.new("RGBA", image.size, "white")
        image.alpha_composite(colours)
    return image if image.mode == mode else image.convert(mode)


def _of_8_bits(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey, with alpha if one level of grey is transparent."""
    # Pillow would clip the levels at 255.
    levels = np.asarray(image)
    grey = Image.fromarray((levels >> 8).astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is not None:
        grey.putalpha(Image.fromarray(np.where(levels == transparent, 0, 255).astype(np.uint8)))
    return grey
