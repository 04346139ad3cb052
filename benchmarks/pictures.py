"""Pictures, made when they are needed: always the same ones."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tfaas_core.tensors import Array


def png_28() -> bytes:
    """A grey PNG of 28 x 28, like a handwritten digit: a stroke on nothing."""
    rows, columns = np.mgrid[:28, :28]
    distance = np.abs(np.hypot(rows - 14, columns - 14) - 8)
    return _encoded((255 * np.clip(2 - distance, 0, 1)).astype(np.uint8), "PNG")


def jpeg_640x480() -> bytes:
    """A JPEG in colour, 640 wide and 480 high: smooth, with some noise, as photographs are."""
    return _encoded(levels_640x480(), "JPEG")


def levels_640x480() -> Array:
    """uint8 [480, 640, 3]: that picture before it became a JPEG."""
    rows, columns = np.mgrid[:480, :640]
    waves = [np.sin(rows / 40 + shift) + np.cos(columns / 60 - shift) for shift in range(3)]
    noise = np.random.default_rng(1).normal(scale=6, size=(480, 640, 3))
    levels: Array = np.clip(128 + 50 * np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8)
    return levels


def _encoded(levels: Array, format_: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(levels).save(file, format_)
    return file.getvalue()
