"""Trial: whether rows are answered otherwise beside other rows. It refutes, and never proves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from tfaas_core.engine.in_model_process.warming.likeness import LAST_BITS, Likeness, shaken
from tfaas_core.engine.in_model_process.warming.made_up import (
    Make,
    Run,
    has_free_sizes,
    made_up_inputs,
    ramp,
)
from tfaas_core.engine.shared.outputs import Uneven, check_rows, rows_between
from tfaas_core.errors import TfaasError
from tfaas_core.tensors import Array, Signature

BUDGET_S = 0.3
"""No further pattern is tried after it. The first one always is."""

_OTHER_SIZES = (1, 7)
_SHAKES = 3


def is_refuted(run: Run, signature: Signature, size: int) -> bool:
    """Whether made-up rows are answered otherwise alone than beside other rows.

    Tried are rows of several scales, signs and lengths, in several numbers and orders. Values that
    do not run tell nothing, nor those that there is no memory for. ``size`` is one that runs, for
    all sizes that a request chooses.
    """
    if not signature.inputs:
        return False
    end_s = time.monotonic() + BUDGET_S
    try:
        for inputs in _patterns(signature, size):
            if _Pattern(run, signature, inputs).is_refuted():
                return True
            if time.monotonic() > end_s:
                break
    except MemoryError:
        pass
    return False


def _patterns(signature: Signature, size: int) -> Iterator[list[Array]]:
    random = np.random.default_rng(1)
    made: list[tuple[int, Make]] = [(2, ramp)]
    made += [(3, partial(_scales, random)), (2, partial(_zeros_first, random))]
    made += [(3, partial(_signs, random)), (5, partial(_sparse, random)), (5, _constants)]
    for rows, make in made:
        yield made_up_inputs(signature, rows, size, make)
    for other in _OTHER_SIZES if has_free_sizes(signature) else ():
        for rows, make in made[:3]:
            yield made_up_inputs(signature, rows, other, make)


def _scales(random: np.random.Generator, rows: int, count: int) -> Array:
    """From a thousandth to ten thousand, a scale a row."""
    return random.normal(size=(rows, count)) * np.logspace(-3, 4, rows)[:, None]


def _zeros_first(random: np.random.Generator, rows: int, count: int) -> Array:
    """A row of zeros beside large ones."""
    values = random.normal(size=(rows, count)) * 1e4
    values[0] = 0
    return values


def _signs(random: np.random.Generator, rows: int, count: int) -> Array:
    """Negative rows and a positive one."""
    values = -random.random((rows, count))
    values[-1] *= -1
    return values


def _sparse(random: np.random.Generator, rows: int, count: int) -> Array:
    """Mostly zeros, more and more of them from row to row."""
    return random.integers(1, 5, (rows, count)) * (random.random((rows, count)) > ramp(rows, 1))


def _constants(rows: int, count: int) -> Array:
    """Each row its own number, and each of another branch, perhaps."""
    return np.repeat(np.arange(rows)[:, None] - 2.0, count, axis=1)


class _Pattern:
    """Some rows, run alone and beside each other."""

    def __init__(self, run: Run, signature: Signature, inputs: Sequence[Array]) -> None:
        self._run = run
        self._specs = signature.outputs
        self._inputs = inputs
        self._rows = min(len(array) for array in inputs)

    def is_refuted(self) -> bool:
        alone = [self._outputs(self._taken([row])) for row in range(self._rows)]
        likeness = Likeness(self._specs, [own for own in alone if own is not None])
        for order in self._orders():
            together = self._outputs(self._taken(order))
            if together is None:
                continue
            for place, row in enumerate(order):
                own, beside = alone[row], self._share(together, place, len(order))
                # One that is refused alone is answered otherwise, too.
                if own is None or beside is None or self._differs(likeness, row, own, beside):
                    return True
        return False

    def _orders(self) -> list[list[int]]:
        rows = list(range(self._rows))
        return [rows] if len(rows) == 2 else [rows, rows[::-1], rows[1:]]

    def _share(self, outputs: Sequence[Array], place: int, rows: int) -> list[Array] | None:
        """What one row gets of a run's outputs; None if they are not one for each row."""
        try:
            check_rows(outputs, rows, self._specs)
        except Uneven:
            return None
        return rows_between(outputs, place, place + 1, self._specs)

    def _differs(
        self, likeness: Likeness, row: int, own: Sequence[Array], beside: Sequence[Array]
    ) -> bool:
        if likeness.same(own, beside):
            return False
        others = [self._outputs(shaken_inputs) for shaken_inputs in self._shaken(row)]
        runs = [other for other in others if other is not None]
        return not (runs and likeness.same(own, beside, shaken(own, runs)))

    def _shaken(self, row: int) -> Iterator[list[Array]]:
        """The row by itself, its floats changed in the last bits."""
        random = np.random.default_rng(2)
        for _turn in range(_SHAKES):
            yield [_shake(array, random) for array in self._taken([row])]

    def _taken(self, rows: list[int]) -> list[Array]:
        return [np.ascontiguousarray(array[rows]) for array in self._inputs]

    def _outputs(self, inputs: Sequence[Array]) -> list[Array] | None:
        try:
            return self._run(inputs)
        except TfaasError:
            return None


def _shake(array: Array, random: np.random.Generator) -> Array:
    if array.dtype.kind not in "fc":
        return array
    changes = random.choice([-LAST_BITS, LAST_BITS], array.shape)
    changed: Array = (array + array * changes).astype(array.dtype)
    return changed
