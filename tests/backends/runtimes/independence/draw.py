"""Draws the inputs, sizes and attributes of a case at random, by a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.independence.refutation import POOL, Input
from tfaas_core.tensors import Array

T = TypeVar("T")
raw = tf.raw_ops


class Draw:
    """Builds in TensorFlow's default graph. ``inputs``: what it has drawn so far."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.inputs: list[Input] = []

    def size(self, least: int = 1, most: int = 4) -> int:
        return int(self.random.integers(least, most + 1))

    def chance(self, probability: float = 0.5) -> bool:
        return bool(self.random.random() < probability)

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[int(self.random.integers(len(choices)))]

    def sizes(self, least: int = 0, most: int = 3) -> list[int]:
        return [self.size() for _ in range(self.size(least, most))]

    def rows(
        self,
        inner: Sequence[int] | None = None,
        dtype: Any = tf.float32,
        low: int = -4,
        high: int = 5,
        free: bool = True,
    ) -> Any:
        """A fed tensor, rows along axis 0; ``free``: some sizes may be left to the request."""
        inner = self.sizes() if inner is None else list(inner)
        shape = [None if free and self.chance(0.2) else size for size in inner]
        tensor = tf.compat.v1.placeholder(dtype, [None, *shape])
        pool = self.array([POOL, *inner], dtype, low, high)
        self.inputs.append(Input(tensor.name, (None, *shape), pool))
        return tensor

    def anywhere(self, inner: Sequence[int] | None = None, **options: Any) -> Any:
        """Rows along any axis, or several slices of each along one."""
        tensor = self.rows(inner, **options)
        rank = tensor.shape.rank
        kind = self.size(0, 3)
        if kind == 1 and rank > 1:
            return tf.transpose(tensor, self.random.permutation(rank))
        if kind == 2 and rank > 2 and tensor.shape[2:].is_fully_defined():
            return raw.Reshape(tensor=tensor, shape=[-1, *tensor.shape[2:]])
        if kind == 3 and rank > 2 and tensor.shape[2:].is_fully_defined():
            order = [1, 0, *range(2, rank)]
            return raw.Reshape(tensor=tf.transpose(tensor, order), shape=[-1, *tensor.shape[2:]])
        return tensor

    def constant(self, shape: Sequence[int], dtype: Any = tf.float32, **limits: int) -> Any:
        return tf.constant(self.array(shape, dtype, **limits), dtype)

    def array(self, shape: Sequence[int], dtype: Any, low: int = -4, high: int = 5) -> Array:
        """Small whole numbers, of which sums are exact in whatever order they are made."""
        numbers = self.random.integers(low, high, shape)
        if dtype == tf.string:
            return np.asarray(np.vectorize(lambda n: b"word %d" % n, otypes=[object])(numbers))
        if dtype == tf.bool:
            return np.asarray(numbers > 0)
        if dtype in (tf.uint8, tf.uint32):
            numbers = np.abs(numbers)
        return np.asarray(numbers, dtype.as_numpy_dtype)

    def axis(self, tensor: Any, more: int = 0) -> int:
        """Any axis of the tensor, perhaps counted from the last one."""
        rank = int(tensor.shape.rank) + more
        return self.size(0, rank - 1) - rank * self.chance(0.3)

    def number(self, value: Any, dtype: Any = tf.int32) -> Any:
        return tf.constant(value, dtype)


Case = Callable[[Draw], Any]
