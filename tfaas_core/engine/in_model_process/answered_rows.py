"""AnsweredRows: how many rows may share a run, by how much memory their answers take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from tfaas_core.engine.shared.outputs import Specs
from tfaas_core.engine.shared.sent_answer import SentAnswer
from tfaas_core.tensors import Array, TensorSpec

RUN_BYTES = 1 << 26
"""Of the outputs of a run that several requests share; a single one may take more."""


class AnsweredRows:
    """``most`` rows, at least one, have outputs of RUN_BYTES, as far as that is known.

    If the specs of the outputs do not tell their sizes, the run before does: ``learns``.
    """

    def __init__(self, specs: Specs) -> None:
        self._specs = specs
        self._has_strings = any(spec.dtype == "string" for spec in specs)
        sizes = [0 if spec.constant else _row_bytes(spec) for spec in specs]
        self.learns = None in sizes
        self.most = _most_rows(sum(filter(None, sizes)))

    def learn(
        self, rows: int, outputs: Sequence[Array], answers: Iterable[Sequence[SentAnswer]]
    ) -> None:
        """What a run of so many rows gave, and what became of it."""
        if not rows:
            return
        pairs = zip(outputs, self._specs, strict=True)
        size = sum([output.nbytes for output, spec in pairs if not spec.constant])
        if self._has_strings:  # an array has but pointers to them; an answer, nothing of its slot
            size = max(size, sum([len(answer) for own in answers for answer in own]))
        self.most = _most_rows(size // rows)


def _row_bytes(spec: TensorSpec) -> int | None:
    """Of a row of an output; None: its spec does not tell."""
    if spec.dtype == "string" or spec.shape is None or None in spec.shape[1:]:
        return None
    return math.prod(size or 0 for size in spec.shape[1:]) * spec.numpy_dtype.itemsize


def _most_rows(row_bytes: int) -> int:
    return max(1, RUN_BYTES // max(1, row_bytes))
