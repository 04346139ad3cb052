"""Values of JPEGs: read by libjpeg-turbo as they are kept, if the library for that is installed.

Pillow reads them by the same library, but keeps them with a byte more for each pixel.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, frombytes

from tfaas_plugins.codecs.image.layout import Mode

try:
    from simplejpeg import decode_jpeg
except ImportError:
    decode_jpeg = None

Values: TypeAlias = bytes | NDArray[np.uint8]

_COLOURS: dict[str, str] = {"L": "GRAY", "RGB": "RGB"}


class JpegValues(msgspec.Struct, frozen=True):
    """A picture, as far as it is used as one of Pillow is. ``values`` are in C order."""

    mode: Mode
    size: tuple[int, int]
    values: NDArray[np.uint8]

    def tobytes(self) -> bytes:
        """Its values."""
        return self.values.tobytes()

    def image(self) -> Image:
        """The same as one of Pillow."""
        return frombytes(self.mode, self.size, self.values)


def jpeg_values(data: bytes | memoryview, size: tuple[int, int], mode: Mode) -> JpegValues | None:
    """The values of a JPEG in grey or colour, the same as Pillow's; its header says its ``size``.

    None: they are left to Pillow, which has words for what is damaged. Raises MemoryError.
    """
    if decode_jpeg is None or mode not in _COLOURS:
        return None
    try:
        # What libjpeg warns of is an error, too.
        values = decode_jpeg(data, _COLOURS[mode], strict=True)
    except MemoryError:
        raise
    except Exception:
        return None
    return JpegValues(mode, size, values) if values.shape[1::-1] == size else None
