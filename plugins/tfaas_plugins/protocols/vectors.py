"""Vectors: small JSON lists of nothing but numbers, as many as a model takes, read at once.

Nearly all requests hold such lists. What is anything else, or wrong, is read by ``json_values``,
which takes a look at each value, and has words for it.
"""

from __future__ import annotations

from math import prod
from typing import Any

import msgspec

from tfaas_core.tensors import Array, TensorSpec
from tfaas_plugins.codecs.values.leaves import Numbers

_KINDS = "fiu"


def may_hold_booleans(body: bytes) -> bool:
    """Whether a true or false may be among the values of a JSON body."""
    # To look for a byte takes a part of the time that it takes to look for a word, and the only
    # "u" of most bodies is that of "inputs".
    last = body.rfind(b"u")
    has_true = body.find(b"u") != last or body[last + 1 : last + 2] == b"e"
    return (has_true and b"true" in body) or (b"f" in body and b"false" in body)


class Vectors(msgspec.Struct, frozen=True):
    """Reads one input, of which a request chooses no more than the first size.

    ``first``: that size; None: any. ``row``: the others, and ``elements``, how many they make.
    """

    numbers: Numbers
    first: int | None
    row: list[int]
    elements: int

    @classmethod
    def of(cls, spec: TensorSpec) -> Vectors | None:
        """None: the input takes anything else."""
        # What stands for bfloat16 is rounded, too.
        if spec.carried or spec.numpy_dtype.kind not in _KINDS or not spec.shape:
            return None
        first, *row = spec.shape
        sizes = [size for size in row if size]
        if len(sizes) != len(row):
            return None
        return cls(Numbers(spec.numpy_dtype), first, sizes, prod(sizes))

    def of_rows(self, rows: list[Any], booleans: bool) -> Array | None:
        """The array that lists of rows spell.

        ``booleans``: whether any may be among the values. None: the lists are to be looked at.
        """
        if not rows or len(self.row) > 1:
            return None
        if not self.row:
            return self.numbers.filled(rows, (len(rows),), booleans)
        first, size = rows[0], self.elements
        if len(rows) > 1 or type(first) is not list or len(first) != size:
            return self.numbers.vectors(rows, size, booleans)
        return self.numbers.filled(first, (1, size), booleans)

    def of_shape(self, shape: list[int], values: list[int | float]) -> Array | None:
        """The array of this shape, its values in C order; else as ``of_rows``."""
        if not shape or shape[1:] != self.row or not values:
            return None
        if len(values) != shape[0] * self.elements:
            return None
        if self.first is not None and self.first != shape[0]:
            return None
        return self.numbers.filled(values, tuple(shape), booleans=False)
