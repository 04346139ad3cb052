"""Layout: where a model's input has a picture's height, width and channels."""

from __future__ import annotations

from math import isqrt
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Mode: TypeAlias = Literal["L", "RGB", "RGBA"]
"""Grey, colour, or colour and alpha, 8 bits each."""

CHANNELS = (1, 3, 4)
"""Grey, colour, or colour and alpha."""

_FLAT_CHANNELS = (1, 3)


class Layout(msgspec.Struct, frozen=True):
    """The axes of one picture, as a model takes it. A ``height`` or ``width`` of None is free.

    ``axes``: "hwc", "chw", "hw" for grey without an axis of channels, "flat" for one axis of all
    values in the order of "hwc".
    """

    height: int | None
    width: int | None
    channels: int
    axes: Literal["hwc", "chw", "hw", "flat"]

    @classmethod
    def of(cls, shape: tuple[int | None, ...], channels: int | None) -> Layout | None:
        """The layout of a picture's ``shape``; None if it is not a picture's.

        ``channels`` tells how many channels it has, if that is known from elsewhere.
        """
        allowed = (channels,) if channels else CHANNELS
        match shape:
            case (int(size),):
                return _square(size, (channels,) if channels else _FLAT_CHANNELS)
            # An axis of 1 makes it a list of numbers rather than a picture.
            case (height, width) if 1 in allowed and 1 not in shape:
                found = cls(height, width, 1, "hw")
            case (height, width, int(last)) if last in allowed:
                found = cls(height, width, last, "hwc")
            case (int(first), height, width) if first in allowed:
                found = cls(height, width, first, "chw")
            case (height, width, None) if channels:
                found = cls(height, width, channels, "hwc")
            case _:
                return None
        return None if 0 in (height, width) else found

    def size_for(self, width: int, height: int) -> tuple[int, int]:
        """The width and height that a picture of this size gets; a free side in proportion."""
        if self.width is None and self.height is None:
            return width, height
        if self.width is None:
            assert self.height is not None
            return max(1, round(width * self.height / height)), self.height
        if self.height is None:
            return self.width, max(1, round(height * self.width / width))
        return self.width, self.height

    def usual(self) -> tuple[int, int] | None:
        """The width and height of a picture whose values stay as they are: row by row, and the
        channels of each pixel together. None: there is none."""
        if self.height is None or self.width is None or (self.axes == "chw" and self.channels > 1):
            return None
        return self.width, self.height

    def arranged(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels [height, width], or [height, width, channels], in this layout."""
        if self.axes == "hw":
            return pixels
        if self.axes == "flat":
            return pixels.reshape(-1)
        pixels = pixels.reshape(*pixels.shape[:2], self.channels)
        return pixels if self.axes == "hwc" else pixels.transpose(2, 0, 1)


def _square(size: int, allowed: tuple[int, ...]) -> Layout | None:
    for channels in allowed:
        side = isqrt(size // channels)
        if side > 1 and side * side * channels == size:
            return Layout(side, side, channels, "flat")
    return None
