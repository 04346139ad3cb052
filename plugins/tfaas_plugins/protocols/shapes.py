"""Shapes that clients send: how many elements they have, if any machine could hold them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfaas_core.errors import BadBody

_MOST_ELEMENTS = 1 << 48
"""A shape of more is refused: no machine holds them."""

_MOST_DIMENSIONS = 32


def elements_of(shape: Sequence[int], what: str) -> int:
    """How many elements a shape has. Raises BadBody if none has so many."""
    if len(shape) <= _MOST_DIMENSIONS:
        elements = math.prod(shape)
        if 0 < elements <= _MOST_ELEMENTS and min(shape, default=1) > 0:
            return elements
    if any(size < 0 for size in shape):
        raise BadBody(f"{what} contains one or more invalid dimensions: {list(shape)[:32]}")
    # A size of 0 does not help: NumPy has no array with such others, even of no elements.
    if len(shape) > _MOST_DIMENSIONS or math.prod(size or 1 for size in shape) > _MOST_ELEMENTS:
        raise BadBody(f"{what} causes total element count to exceed maximum size")
    return 0
