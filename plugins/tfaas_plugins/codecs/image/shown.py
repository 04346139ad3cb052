"""Shown: a decoded picture, as a person sees it, and its values in any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Transpose

from tfaas_plugins.codecs.image.jpeg_values import JpegValues, Values
from tfaas_plugins.codecs.image.resizing import Box, smaller

# ImageOps.exif_transpose does the same, but it writes the EXIF data anew, and fails if one of
# the other fields cannot be written.
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""By what EXIF says of it."""

_SWAPPING = (Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)


class Shown:
    """A decoded picture. ``width`` and ``height`` are those of what a person sees, in pixels."""

    def __init__(
        self,
        image: Image.Image | JpegValues,
        box: Box,
        turn: Transpose | None,
        width: int,
        height: int,
    ) -> None:
        """``image`` is not turned yet, and perhaps smaller than ``width`` and ``height``."""
        self._image = image
        self._box = box
        self._turn = turn
        self._is_swapped = turn in _SWAPPING
        self.width, self.height = (height, width) if self._is_swapped else (width, height)

    def pixels(self, width: int, height: int, resample: int | None) -> NDArray[np.uint8]:
        """Its values in this size: uint8 [height, width], or [height, width, 3 or 4].

        ``resample``, one of Pillow's ways, may be None if that is its own size.
        """
        size = (height, width) if self._is_swapped else (width, height)
        image = self._image
        values: Values | None = None
        if image.size != size:
            values = smaller(image, size, resample, self._box)
        elif isinstance(image, JpegValues):
            values = image.values
        if values is None or self._turn is not None:
            values = self._by_pillow(values, size, resample)
        shape = (height, width) if image.mode == "L" else (height, width, -1)
        return np.frombuffer(values, np.uint8).reshape(shape)

    def _by_pillow(self, values: Values | None, size: tuple[int, int], way: int | None) -> bytes:
        """Turned; ``values`` are those of this ``size``, if there are any yet."""
        image = self._image
        if values is not None:
            image = Image.frombytes(image.mode, size, values)
        elif isinstance(image, JpegValues):
            image = image.image()
        if image.size != size:
            image = image.resize(size, way, self._box)
        if self._turn is not None:
            image = image.transpose(self._turn)
        # numpy.asarray would ask for the same bytes, by more steps.
        return image.tobytes()
