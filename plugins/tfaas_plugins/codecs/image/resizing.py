"""Resizing: by Pillow, or several times as fast, if the library for that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from PIL.Image import Image, Resampling

from tfaas_plugins.codecs.image.jpeg_values import JpegValues

try:
    from cykooz_resizer import (
        CropBox,
        FilterType,
        ImageData,
        PixelType,
        ResizeAlg,
        ResizeOptions,
        Resizer,
    )
except ImportError:
    _PIXELS: Mapping[str, Any] = {}
else:
    _PIXELS = {"L": PixelType.U8, "RGB": PixelType.U8x3}
    _BILINEAR = ResizeAlg.convolution(FilterType.bilinear)

Box: TypeAlias = tuple[float, float, float, float]
"""Left, upper, right and lower, of an image in pixels."""

_SMALLEST_PIXELS = 1 << 12
"""Pillow is as fast with fewer."""


def smaller(
    image: Image | JpegValues, size: tuple[int, int], resample: int | None, box: Box
) -> bytes | None:
    """The values that Pillow's ``resize`` gives, or others that differ by 1 of 255; None: that is
    left to Pillow. So it is but for grey and RGB that get smaller."""
    left, upper, right, lower = box
    pixels = _PIXELS.get(image.mode)
    is_smaller = size[0] <= right - left and size[1] <= lower - upper
    is_large = image.size[0] * image.size[1] >= _SMALLEST_PIXELS
    if pixels is None or resample != Resampling.BILINEAR or not (is_smaller and is_large):
        return None
    # By values of both: what a picture of Pillow's is like in memory may change.
    source = ImageData(*image.size, pixels, image.tobytes())
    target = ImageData(*size, pixels)
    crop = CropBox(left, upper, right - left, lower - upper)
    # Threads cannot share one.
    Resizer().resize(source, target, ResizeOptions(_BILINEAR, use_alpha=False, crop_box=crop))
    return bytes(target.get_buffer())
