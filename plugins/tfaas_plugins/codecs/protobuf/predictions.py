"""Output values as a Predictions message."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from struct import Struct

import numpy as np

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, Arrays, BatchAxis
from tfaas_core.values.labels import flat_rows, labels_of
from tfaas_core.values.pieces import BYTES_AT_ONCE, pieces
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import Class, Predictions

_FEW = 8
"""Up to as many numbers are sooner written one by one."""

_float_bytes = Struct("<f").pack


class PredictionsWriter:
    """Writes outputs of one version; a row is laid out once, and only its numbers change."""

    def __init__(self, version: ModelVersion) -> None:
        signature = version.signature
        self._batched = signature.batch is not BatchAxis.NONE
        self._names = [spec.name for spec in signature.outputs if not spec.constant]
        self._constants = [spec.name for spec in signature.outputs if spec.constant]
        self._labels = version.labels
        self._is_alone = len(self._names) == 1
        self._layout = _Layout((), (), self._is_alone)

    def write(self, outputs: Arrays) -> bytes:
        """Predictions of a Class for each value, row after row, in the signature's order.

        The values of a single output get the model's labels in order, as far as these go. Of
        several outputs, those get them that have as many values a row as there are labels. Outputs
        of different numbers of rows follow each other whole; so do constant ones, at the end.
        """
        values = [flat_rows(outputs[name], self._batched) for name in self._names]
        if len(values) == 1 or len({len(array) for array in values}) == 1:
            pieces = [self._written(values)]
        else:
            pieces = [self._written([array]) for array in values]
        for name in self._constants:
            constant = flat_rows(outputs[name], batched=False)
            pieces.append(_Layout((constant.shape[1],), (), alone=True).fill(constant))
        return b"".join(pieces)

    def _written(self, values: list[Array]) -> bytes:
        counts = tuple([array.shape[1] for array in values])
        layout = self._layout
        if counts != layout.counts:
            layout = self._layout = _Layout(counts, self._labels, self._is_alone)
        return layout.fill(values[0] if len(values) == 1 else np.concatenate(values, 1))


class _Layout:
    """The bytes of one row, and where in them its numbers are."""

    def __init__(self, counts: tuple[int, ...], labels: Sequence[str], alone: bool) -> None:
        """``alone``: the labels are for the one output, whatever its size."""
        self.counts = counts
        pieces = [
            # Classes that are written one after the other are one Predictions.
            Predictions(prediction=[Class(label=label, probability=1)]).SerializeToString()
            for count in counts
            for label in labels_of(count, labels, alone)
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
        at_once = BYTES_AT_ONCE // len(self._row) or 1
        return b"".join([self._filled(some) for some in pieces(values, at_once)])

    def _filled(self, values: Array) -> bytes:
        floats = np.ascontiguousarray(values, "<f4")
        block = np.empty((len(values), len(self._row)), np.uint8)
        block[:] = self._row
        block[:, self._places] = floats[..., np.newaxis].view(np.uint8)
        return block.tobytes()
