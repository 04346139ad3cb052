"""Levels: the values of pictures, 0 to 255, which become a model's numbers where they are run."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

ALIGNED_BYTES = 64
"""Where a tensor begins: TensorFlow copies what begins elsewhere."""


class Levels(np.ndarray[Any, np.dtype[np.uint8]]):
    """uint8 of any shape, of which each stands for a number of the dtype ``meant``: ``divisor``
    divides it, and ``offset`` is then taken from it.

    That is a quarter of what floats take on their way. A part of them is levels, too.
    """

    meant: np.dtype[Any] = np.dtype(np.uint8)
    divisor: float = 1.0
    offset: float = 0.0

    @classmethod
    def of(
        cls, values: NDArray[np.uint8], meant: np.dtype[Any], divisor: float, offset: float
    ) -> Self:
        """A view of ``values``."""
        levels = values.view(cls)
        levels.meant, levels.divisor, levels.offset = meant, divisor, offset
        return levels

    def __array_finalize__(self, before: Any) -> None:
        if isinstance(before, Levels):
            self.meant, self.divisor, self.offset = before.meant, before.divisor, before.offset

    @property
    def scale(self) -> tuple[float, float]:
        """``divisor`` and ``offset``."""
        return self.divisor, self.offset

    def numbers(self) -> NDArray[Any]:
        """What they stand for, in an array of its own, in C order."""
        return self.put_into(_new(self.shape, self.meant))

    def put_into(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """The same in an array of their shape, of the dtype ``meant``."""
        np.copyto(numbers, self.view(np.ndarray))
        if self.divisor != 1:
            numbers /= self.divisor
        if self.offset:
            numbers -= self.offset
        return numbers


def stands_for(array: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether it is levels that become numbers of this dtype."""
    return isinstance(array, Levels) and array.meant == dtype


def as_numbers(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Levels as what they stand for, and all else as it is."""
    return [array.numbers() if isinstance(array, Levels) else array for array in arrays]


def joined_numbers(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One behind the other along axis 0, levels as what they stand for."""
    dtypes = [array.meant for array in arrays if isinstance(array, Levels)]
    if not dtypes:
        return np.concatenate(arrays)
    numbers = _new((sum(map(len, arrays)), *arrays[0].shape[1:]), dtypes[0])
    start = 0
    for array in arrays:
        end = start + len(array)
        if isinstance(array, Levels):
            array.put_into(numbers[start:end])
        else:
            numbers[start:end] = array
        start = end
    return numbers


def _new(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    size = prod(shape) * dtype.itemsize
    room = np.empty(size + ALIGNED_BYTES, np.uint8)
    begin = -room.__array_interface__["data"][0] % ALIGNED_BYTES
    return room[begin : begin + size].view(dtype).reshape(shape)
