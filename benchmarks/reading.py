"""The least that reading a body takes: a decoder and one conversion, in one thread of one core.

No server can read more rows/s than this on every core, and wrk and the model need cores, too.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import orjson
from PIL import Image

from tfaas_core.tensors import Array

_MEASURED_S = 0.3
_MOST_TIMES = 2000


def json_rows(content: bytes) -> Array:
    """float32 [rows, 42]: ``orjson.loads`` and one conversion."""
    return np.array(orjson.loads(content)["values"], np.float32)


def picture(content: bytes) -> Array:
    """float32 [height, width] or [height, width, 3]: Pillow's decoder and one conversion."""
    with Image.open(io.BytesIO(content)) as opened:
        return np.asarray(opened, np.float32)


def median_s(read: Callable[[], object]) -> float:
    """The median time of one call, over calls that fill about a third of a second."""
    durations_s: list[float] = []
    end_s = time.perf_counter() + _MEASURED_S
    while not durations_s or (time.perf_counter() < end_s and len(durations_s) < _MOST_TIMES):
        start_s = time.perf_counter()
        read()
        durations_s.append(time.perf_counter() - start_s)
    return median(durations_s)
