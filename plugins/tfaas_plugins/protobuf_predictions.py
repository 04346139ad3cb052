"""Output values as a Predictions message."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfaas_core.model import ModelVersion
from tfaas_core.tensors import Array, Arrays
from tfaas_plugins.tfaas_pb2 import Class, Predictions


class PredictionsWriter:
    """Writes outputs of one version; a row is laid out once, and only its numbers change."""

    def __init__(self, version: ModelVersion) -> None:
        self._version = version
        self._layout = _Layout((), ())

    def write(self, outputs: Arrays, rows: int) -> bytes:
        """Predictions of a Class for each value, row after row, in the signature's order.

        The values of a single output get the model's labels in order, as far as these go. Of
        several outputs, those get them that have as many values a row as there are labels.
        """
        names = [spec.name for spec in self._version.signature.outputs]
        values = [outputs[name].reshape(rows, -1) for name in names]
        counts = tuple([array.shape[1] for array in values])
        if counts != self._layout.counts:
            self._layout = _Layout(counts, self._version.labels)
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
        self._row = np.frombuffer(b"".join(pieces), np.uint8)
        # The probability is the last field of the Class: 4 bytes.
        ends = np.cumsum([len(piece) for piece in pieces], dtype=np.intp)
        self._places = ends[:, np.newaxis] + np.arange(-4, 0)

    def fill(self, values: Array) -> bytes:
        """``values``: numbers [rows, values of a row]."""
        block = np.empty((len(values), len(self._row)), np.uint8)
        block[:] = self._row
        if values.dtype != np.float32:
            with np.errstate(over="ignore"):
                values = values.astype(np.float32)
        floats = np.ascontiguousarray(values, "<f4")
        block[:, self._places] = floats[..., np.newaxis].view(np.uint8)
        return block.tobytes()


def _labels(count: int, labels: Sequence[str], alone: bool) -> list[str]:
    if not alone and len(labels) != count:
        labels = ()
    return [*labels[:count], *[""] * (count - len(labels))]
