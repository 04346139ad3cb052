"""bfloat16: the upper half of a float32, which stands for it in arrays."""

from __future__ import annotations

import numpy as np

from tfaas_core.tensors import Array


def from_bits(bits: Array) -> Array:
    """The numbers, float32, of their 16 bits each, uint16 in any byte order."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def to_bits(array: Array) -> Array:
    """The upper 16 bits of each number, little-endian uint16; of such numbers, these are all."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32).reshape(array.shape)
    return (bits >> np.uint32(16)).astype("<u2")
