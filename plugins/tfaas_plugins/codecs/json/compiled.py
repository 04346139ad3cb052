"""Nested lists of numbers, read by compiled code, if that was built: see ``_number_lists.c``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
import numpy as np

from tfaas_core.tensors import Array

_Read: TypeAlias = Callable[[bytes, int, int], tuple[bytearray, tuple[int, ...], bool, int] | None]

built: _Read | None
"""The code; None: it was not built."""
try:
    from tfaas_plugins.codecs.json._number_lists import read as built
except ImportError:
    built = None


class FoundLists(msgspec.Struct, frozen=True, gc=False):
    """Lists that end before the byte ``end`` of a text.

    ``array`` has float64, whether or not all of the numbers ``are_integers``, below 2**53 then.
    """

    array: Array
    are_integers: bool
    end: int

    def whole(self) -> Array:
        """The numbers as NumberLists has them: int64 if all are integers."""
        return self.array.astype(np.int64) if self.are_integers else self.array


def lists_at(text: bytes, at: int, most: int) -> FoundLists | None:
    """The lists of ``most`` numbers or fewer that begin at the byte ``at``.

    None: there is no such code, or these are not what most clients send. It may have missed that
    they are nothing to complain of: another way has to look.
    """
    found = None if built is None else built(text, at, most)
    if found is None:
        return None
    numbers, shape, are_integers, end = found
    return FoundLists(np.frombuffer(numbers).reshape(shape), are_integers, end)
