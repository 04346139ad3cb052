"""AcceleratedServable: a servable in whose place an accelerator may run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tfaas_core.runtime import (
    Accelerator,
    CannotAccelerate,
    FastModel,
    Independence,
    Servable,
    Shapes,
)
from tfaas_core.tensors import Array, Signature


class AcceleratedServable(Servable):
    """Runs ``first`` until ``take`` gives it a fast model, which is asked from then on.

    The fast one gets finite inputs of the signature's shapes, and so many rows as were tried. What
    it refuses, and answers that are not finite, are the first's: errors and NaN stay as they were.
    The first rests meanwhile if it may, and once it was woken, it stays awake. ``accelerator`` is
    to open the fast one, with so many ``fast_threads``; all else that it says is of the first.
    """

    def __init__(
        self,
        first: Servable,
        accelerator: Accelerator | None = None,
        fast_threads: int = 0,
        may_rest: bool = True,
    ) -> None:
        self.signature = first.signature
        self.stateful = first.stateful
        self.others = first.others
        self.declared = first.declared
        self.takes_any_shape = first.takes_any_shape
        self.accelerator = accelerator
        self.fast_threads = fast_threads
        self.threads, self.executor = first.threads, first.executor
        self._first = first
        self._may_rest = may_rest and not self.others and not self.stateful
        self._fast: FastModel | None = None
        self._inner: list[tuple[int, ...]] = []
        self._least_rows = self._most_rows = 0
        self._is_new = self._rests = False

    def take(self, fast: FastModel, most_rows: int) -> None:
        """From the next run on, ``fast`` is asked first. May be called from any thread."""
        self._inner = inner_shapes(self.signature)
        has_fixed_rows = all(spec.shape and spec.shape[0] for spec in self.signature.inputs)
        self._least_rows, self._most_rows = most_rows if has_fixed_rows else 1, most_rows
        self._is_new = True
        self._fast = fast

    @property
    def is_fast(self) -> bool:
        """Whether a fast model is asked first."""
        return self._fast is not None

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        fast = self._fast
        if fast is None:
            return self._first.run(inputs)
        if self._is_new:
            self._rest()
        if self._covers(inputs):
            try:
                outputs = fast.run(inputs)
            except Exception:
                return self._run_first(inputs)
            if are_finite(outputs):
                return outputs
        return self._run_first(inputs)

    def independence(self, shapes: Shapes | None = None) -> Independence:
        return self._first.independence(shapes)

    def tune(self, inputs: Sequence[Array]) -> None:
        self._first.tune(inputs)
        self.threads, self.executor = self._first.threads, self._first.executor

    def reset(self) -> None:
        self._first.reset()

    def close(self) -> None:
        fast, self._fast = self._fast, None
        if fast is not None:
            fast.close()
        self._first.close()

    def _rest(self) -> None:
        """In the thread that runs: the other one may have been running until now."""
        self._is_new = False
        if self._may_rest:
            self._rests = self._first.rest()

    def _covers(self, inputs: Sequence[Array]) -> bool:
        first_axis = inputs[0].shape[:1]
        if not first_axis or not self._least_rows <= first_axis[0] <= self._most_rows:
            return False
        for array, inner in zip(inputs, self._inner, strict=True):
            if array.shape != first_axis + inner:
                return False
        return are_finite(inputs)

    def _run_first(self, inputs: Sequence[Array]) -> list[Array]:
        if self._rests:
            self._first.reset()
            self._rests = False
        return self._first.run(inputs)


def inner_shapes(signature: Signature) -> list[tuple[int, ...]]:
    """The shapes of the inputs' rows. Raises CannotAccelerate if a request chooses a part of it."""
    if not signature.inputs:
        raise CannotAccelerate("it has no inputs")
    found = []
    for spec in signature.inputs:
        if not spec.shape:
            raise CannotAccelerate(f"its input {spec.name!r} has no first axis that is known")
        sizes = [size for size in spec.shape[1:] if size is not None]
        if len(sizes) < len(spec.shape) - 1:
            raise CannotAccelerate(f"requests choose the shape of its input {spec.name!r}")
        found.append(tuple(sizes))
    return found


def are_finite(arrays: Sequence[Array]) -> bool:
    """Whether there is no NaN and no infinity; of numbers above 1e18, it may say no, too."""
    for array in arrays:
        if array.dtype.char in "fd":
            # A third of the time that it takes to look at each; and it warns of nothing.
            if not math.isfinite(np.vdot(array, array)):
                return False
        elif array.dtype.kind in "fc" and not np.isfinite(array).all():
            return False
    return True
