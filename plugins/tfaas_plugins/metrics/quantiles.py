"""Quantiles: what a histogram's buckets tell of the values that were counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def quantile(share: float, buckets: NDArray[np.float64], bounds: Sequence[float]) -> float | None:
    """The value that ``share`` of all are no larger than, as far as buckets can tell.

    ``buckets``: float64 ``[bounds + 1]``, how many are in each alone; the last has no upper end, so
    that of the one before stands for it. None if there is no value.
    """
    ends = buckets.cumsum()
    if ends[-1] <= 0:
        return None
    wanted = share * ends[-1]
    place = int(np.searchsorted(ends, wanted))
    if place >= len(bounds):
        return bounds[-1]
    begin = bounds[place - 1] if place else 0.0
    before = ends[place - 1] if place else 0.0
    inside = float(buckets[place])
    part = (wanted - before) / inside if inside else 1.0
    return round(float(begin + (bounds[place] - begin) * part), 7)
