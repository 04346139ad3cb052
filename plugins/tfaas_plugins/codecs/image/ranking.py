"""Ranking: the best labels of the rows of a run, ranked at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson

from tfaas_core.tensors import Array


class Ranking:
    """Of the rows of ``output``, axis 0, ``labels`` from the best to the worst."""

    def __init__(self, output: Array, labels: Sequence[str]) -> None:
        """``output`` may be of any numbers. Those without a label are left out. It is copied."""
        self._labels = labels
        self._values = output.reshape(len(output), -1)[:, : len(labels)].copy()
        # NaN, for a signalling one of which a cast would warn, is put last, and equal values stay
        # in the order of the labels.
        with np.errstate(invalid="ignore"):
            self._places = np.argsort(-self._values.astype(np.float64), kind="stable")

    def answer(self, row: int, top: int, filename: str) -> bytes:
        """The answer to the picture of that row, as JSON: its ``top`` best."""
        best = self._places[row, :top]
        shown = [
            {"label": self._labels[place], "probability": value}
            for place, value in zip(
                best.tolist(), _writable(self._values[row].take(best)), strict=True
            )
        ]
        return orjson.dumps(
            {"filename": filename, "labels": shown}, option=orjson.OPT_SERIALIZE_NUMPY
        )


def _writable(values: Array) -> Array:
    # orjson would write a float16 with the digits of a float32.
    return values.astype(np.str_).astype(np.float64) if values.dtype == np.float16 else values
