"""Sharing: how many rows should share a run, where a row is slower beside others than alone."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from tfaas_core.engine.in_model_process.warming.made_up import Run, made_up_inputs, ramp
from tfaas_core.errors import TfaasError
from tfaas_core.tensors import Array, Signature

_WORTH_MEASURING_S = 0.0005
"""Of a row: below it, what each run costs by itself is more than what its rows can gain."""

_RUN_S = 0.0001
"""What each run costs by itself."""

_MOST_ROWS = 8
_SLOWER, _AS_FAST = 1.08, 1.03
_ROUNDS, _FEWEST_ROUNDS = 9, 3
_BUDGET_S = 0.4


def rows_to_share(run: Run, signature: Signature, size: int) -> int:
    """The most rows of several requests that should share a run; 0: any number.

    Rows are measured alone and together in turn, as many of each, so that what else the machine
    does slows down both. ``size``: see ``is_refuted``.
    """
    if not signature.inputs:
        return 0
    try:
        row_s = _Rows(run, made_up_inputs(signature, 1, size, ramp)).row_s()
        rows = min(_MOST_ROWS, int(_BUDGET_S / (2 * _FEWEST_ROUNDS * row_s)))
        if row_s < _WORTH_MEASURING_S or rows < 2:
            return 0
        rows = 1 << (rows.bit_length() - 1)
        return _Rows(run, made_up_inputs(signature, rows, size, ramp)).to_share(rows)
    except (TfaasError, MemoryError):
        return 0  # of values that do not run, nothing can be told


class _Rows:
    def __init__(self, run: Run, inputs: Sequence[Array]) -> None:
        self._run = run
        self._inputs = inputs
        self._least_s: dict[int, float] = {}

    def row_s(self) -> float:
        """What the first row takes; a slow one has no second try."""
        row_s = self._duration_s(1, 1)
        if row_s > _BUDGET_S:
            return row_s
        return min(row_s, self._duration_s(1, 1), self._duration_s(1, 1))

    def to_share(self, rows: int) -> int:
        """See ``rows_to_share``; ``rows``: how many there are, a power of two."""
        self._measure(rows, [1, rows])
        alone_s, together_s = self._least_s[1], self._least_s[rows]
        if together_s < max(_SLOWER * alone_s, alone_s + (rows - 1) * _RUN_S):
            return 0
        sizes = [1 << power for power in range(rows.bit_length() - 1)]
        self._measure(rows, sizes)
        enough_s = _AS_FAST * min(self._least_s[each] for each in sizes)
        return max(each for each in sizes if self._least_s[each] <= enough_s)

    def _measure(self, rows: int, sizes: Sequence[int]) -> None:
        """The least that so many rows take in runs of each size."""
        self._least_s = dict.fromkeys(sizes, math.inf)
        end_s = time.perf_counter() + _BUDGET_S
        for turn in range(_ROUNDS):
            if turn >= _FEWEST_ROUNDS and time.perf_counter() > end_s:
                break
            for each in sizes:
                self._least_s[each] = min(self._least_s[each], self._duration_s(rows, each))

    def _duration_s(self, rows: int, at_once: int) -> float:
        starts = range(0, rows, at_once)
        runs = [[array[start : start + at_once] for array in self._inputs] for start in starts]
        begin_s = time.perf_counter()
        for inputs in runs:
            self._run(inputs)
        return time.perf_counter() - begin_s
