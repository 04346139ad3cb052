"""Output values as a Predictions message."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from struct import Struct

import numpy as np

from tfaas_core.model import ModelVersion
from tfaas_core.tensors import Array, Arrays
from tfaas_plugins.tfaas_pb2 import Class, Predictions

_FEW = 8
"""Up to as many numbers are sooner written one by one."""

_float_bytes = Struct("<f").pack


class PredictionsWriter:
    """Writes outputs of one version; a row is laid out once, and only its numbers change."""

    def __init__(self, version: ModelVersion) -> None:
        self._names = [spec.name for spec in version.signature.outputs]
        self._labels = version.labels
        self._layout = _Layout((), ())

    def write(self, outputs: Arrays, rows: int) -> bytes:
        """Predictions of a Class for each value, row after row, in the signature's order.

        The values of a single output get the model's labels in order, as far as these go. Of
        several outputs, those get them that have as many values a row as there are labels.
        """
        values = [outputs[name].reshape(rows, -1) for name in self._names]
        counts = tuple([array.shape[1] for array in values])
        if counts != self._layout.counts:
            self._layout = _Layout(counts, self._labels)
        return self._layout.fill(values[0] if len(values) == 1 else np.concatenate(values, 1))


class _Layout:
    """The bytes of one row, and where in them its numbers are."""

    def __init__(self, counts: tuple[int, ...], labels: Sequence[str]) -> None:
        self.counts = counts
        pieces = [
            # Classes that are written one after the other are one Predictions.
            Predictions(prediction=[Class(label=label, probability=1)]).SerializeToString()
            for count in counts
            for label in _labels(count, labels, alone=len(counts) == 1)
        ]
        self._heads = [piece[:-4] for piece in pieces]
        self._row = np.frombuffer(b"".join(pieces), np.uint8)
        # The probability is the last field of the Class: 4 bytes.
        ends = np.cumsum([len(piece) for piece in pieces], dtype=np.intp)
        self._places = ends[:, np.newaxis] + np.arange(-4, 0)

    def fill(self, values: Array) -> bytes:
        """``values``: numbers [rows, values of a row]."""
        if values.dtype != np.float32:
            with np.errstate(over="ignore", invalid="ignore"):
                values = values.astype(np.float32)
        if values.size <= _FEW:
            numbers = map(_float_bytes, values.ravel().tolist())
            heads = self._heads * len(values)
            return b"".join(chain.from_iterable(zip(heads, numbers, strict=True)))
        floats = np.ascontiguousarray(values, "<f4")
        block = np.empty((len(values), len(self._row)), np.uint8)
        block[:] = self._row
        block[:, self._places] = floats[..., np.newaxis].view(np.uint8)
        return block.tobytes()


def _labels(count: int, labels: Sequence[str], alone: bool) -> list[str]:
    if not alone and len(labels) != count:
        labels = ()
    return [*labels[:count], *[""] * (count - len(labels))]
