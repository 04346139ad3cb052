"""Pictures are resized as by Pillow: to the bit, or within 1 of 255 where that is faster."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image
from PIL.Image import Resampling
from tfaas_plugins.codecs.image.shown import Shown

from tfaas_core.tensors import Array
from tfaas_core.testing.tries import tries

if os.environ.get("CI") != "true":  # there, it must be installed
    pytest.importorskip("cykooz_resizer", reason="tfaas[fast] is not installed")

DRAWN = np.random.default_rng(1)
RATIOS = (1.0, 1.25, 1.5, 2.0, 2.14, 2.86, 3.0, 3.5, 4.0, 7.0, 13.3)


def photo(width: int, height: int, mode: str) -> Image.Image:
    """Smooth, with edges and noise."""
    rows, columns = np.mgrid[:height, :width]
    shape = (height, width, len(mode))
    waves = [np.sin(rows / 9 + shift) + np.cos(columns / 14 - shift) for shift in range(shape[2])]
    levels = 128 + 60 * np.stack(waves, -1) + DRAWN.normal(scale=6, size=shape)
    levels[DRAWN.random((height, width)) < 0.1] = DRAWN.choice([0, 255])
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8).squeeze(), mode)


def differences(
    image: Image.Image, size: tuple[int, int], resample: int = Resampling.BILINEAR
) -> Array:
    """How far each value is from Pillow's."""
    width, height = image.size
    box = (0, 0, width - DRAWN.choice([0, 0, 0.4]), height - DRAWN.choice([0, 0, 0.7]))
    box = box if size[0] <= box[2] and size[1] <= box[3] else (0, 0, width, height)
    got = Shown(image, box, None, *image.size).pixels(*size, resample)
    expected = np.asarray(image.resize(size, resample, box))
    assert got.shape == expected.shape
    distance: Array = np.abs(got.astype(int) - expected)
    return distance


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_gets_smaller_is_within_a_level_of_pillows(mode: str) -> None:
    largest = []
    for _ in range(tries(25)):
        size = tuple(DRAWN.integers(1, 120, 2).tolist())
        ratios = DRAWN.choice(RATIOS, 2)
        width, height = (round(side * ratio) for side, ratio in zip(size, ratios, strict=True))
        largest.append(differences(photo(max(64, width), max(64, height), mode), size).max())
    largest.append(differences(photo(640, 480, mode), (224, 224)).max())
    assert max(largest) == 1, "0 would mean that all is Pillow's"


@pytest.mark.parametrize(
    ("image", "size", "resample"),
    [
        (photo(100, 80, "RGB"), (101, 40), Resampling.BILINEAR),
        (photo(100, 80, "L"), (50, 160), Resampling.BILINEAR),
        (photo(100, 80, "RGB"), (50, 40), Resampling.NEAREST),
        (photo(100, 80, "RGBA"), (50, 40), Resampling.BILINEAR),
        (photo(64, 63, "RGB"), (30, 30), Resampling.BILINEAR),
    ],
)
def test_all_else_is_to_the_bit(image: Image.Image, size: tuple[int, int], resample: int) -> None:
    assert not differences(image, size, resample).any()
