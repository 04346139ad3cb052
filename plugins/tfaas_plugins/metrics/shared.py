"""Shared: how the memory is laid out in which all HTTP workers count.

First comes what they share: which half of the directory is in use, and how much of it, both halves,
the last look at processes, and the history. Then each worker has a region that it alone writes.
"""

from __future__ import annotations

from struct import Struct as Layout

MOST_MODELS = 1000
"""That have series of their own; all others are counted as one."""

MOST_CELLS = 1 << 17
SERIES_CELLS = MOST_CELLS - 8
"""Those below are for series. The others tell of the worker itself, in a cache line of theirs."""

MOST_EXEMPLARS = 1 << 10

STATE_BYTES = 8
"""At the beginning of the memory: how many bytes of the directory are used, and above these 40 bits
its generation, which says which half they are in. One number, so that it changes at once."""

USED_BITS = 40

EXEMPLAR = Layout("<QQdd120pQ")
"""A number, the cell, the value, the time, the id, and the number again: if both are the same, it
is whole."""

LONGEST_ID = 118
"""What OpenMetrics leaves for it."""

_HEADER_BYTES = 4096
DIRECTORY_AT = _HEADER_BYTES
DIRECTORY_BYTES = 1 << 23
"""Of each half."""

LOOK_AT = DIRECTORY_AT + 2 * DIRECTORY_BYTES
LOOK_BYTES = 1 << 20
HISTORY_AT = LOOK_AT + 2 * LOOK_BYTES
SAMPLE_BYTES = 1 << 14
INTERVAL_S = 2.0
SAMPLES = 300
"""Ten minutes."""

REGIONS_AT = HISTORY_AT + (SAMPLES + 1) * SAMPLE_BYTES
_CELL_BYTES = 8
CELLS_BYTES = MOST_CELLS * _CELL_BYTES
REGION_BYTES = CELLS_BYTES + -(-MOST_EXEMPLARS * EXEMPLAR.size // 4096) * 4096

LOCK_OF_DIRECTORY = 0
LOCK_OF_SAMPLER = 1


def size_bytes(workers: int) -> int:
    """Of the memory for so many HTTP workers; what nobody writes to takes no room."""
    return REGIONS_AT + workers * REGION_BYTES
