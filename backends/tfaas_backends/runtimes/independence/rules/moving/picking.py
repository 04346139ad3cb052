"""Moves of elements that are known: shapes are sliced and gathered like any other tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfaas_backends.runtimes.independence.dimensions import Dimension, number
from tfaas_backends.runtimes.independence.values import Constant, Counted, Tensor, Value, integers


def places(value: Value) -> Any:
    """An int64 array of the value's shape that holds the place of each of its elements.

    None: they are not known.
    """
    if not isinstance(value, Constant | Counted) or value.elements is None or value.shape is None:
        return None
    sizes = [number(size) for size in value.shape]
    if None in sizes:
        return None
    return np.arange(len(value.elements)).reshape(sizes)


def picked(value: Value, move: Callable[[Any], Any]) -> Tensor | None:
    """What ``move``, which takes and gives an array, makes of the value's elements."""
    array = places(value)
    if array is None:
        return None
    assert isinstance(value, Constant | Counted)
    assert value.elements is not None
    result = np.asarray(move(array))
    shape = tuple(map(Dimension, result.shape))
    found = (value.elements[int(place)] for place in result.ravel())
    return integers(shape, found, counted=isinstance(value, Counted))
