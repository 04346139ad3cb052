"""Ranking: the best labels of the rows of a run, ranked at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson

from tfaas_core.tensors import Array


class Ranking:
    """Of the rows of the one array of ``outputs``, axis 0, the ``top`` best of ``labels``."""

    def __init__(self, outputs: Sequence[Array], top: int, labels: Sequence[str]) -> None:
        """``outputs`` may be of any numbers. Those without a label are left out."""
        self.outputs = outputs
        self.top = top
        self._labels = labels
        (output,) = outputs
        values = output.reshape(len(output), -1)[:, : len(labels)]
        # NaN, for a signalling one of which a cast would warn, is put last, and equal values stay
        # in the order of the labels.
        with np.errstate(invalid="ignore"):
            best = np.argsort(-values.astype(np.float64), kind="stable")[:, :top]
        self._places = best.tolist()
        self._values = _writable(values[np.arange(len(best))[:, None], best])

    def answer(self, row: int, filename: str) -> bytes:
        """The answer to the picture of that row, as JSON."""
        labels = self._labels
        shown = [
            {"label": labels[place], "probability": value}
            for place, value in zip(self._places[row], self._values[row], strict=True)
        ]
        return orjson.dumps(
            {"filename": filename, "labels": shown}, option=orjson.OPT_SERIALIZE_NUMPY
        )


def _writable(values: Array) -> Array:
    # orjson would write a float16 with the digits of a float32.
    return values.astype(np.str_).astype(np.float64) if values.dtype == np.float16 else values
