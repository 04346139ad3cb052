"""The compressed blocks of a file, which are tried before uproot expands them.

A block says what it expands to, but the decompressors of uproot do not hold it to that: a few
kilobytes may become gigabytes. uproot asks its hook before each block, wherever that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import cramjam
import numpy as np
from uproot.compression import decompress

from tfaas_codec_root.budget import Budget

_HEADER_BYTES = 9
# Into a buffer that is as large as the block says. LZ4 is not among them: uproot itself bounds it.
_EXPAND: dict[bytes, Callable[[Any, Any], int]] = {
    b"ZL": cramjam.zlib.decompress_into,
    b"XZ": cramjam.xz.decompress_into,
    b"ZS": cramjam.zstd.decompress_into,
}

_budget: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def bounded_by(budget: Budget) -> Iterator[None]:
    """What uproot expands in this thread is taken from the budget beforehand."""
    token = _budget.set(budget)
    try:
        yield
    finally:
        _budget.reset(token)


def check_block(
    *,
    chunk: Any,
    cursor: Any,
    context: Any,
    uncompressed_bytes: int,
    filled: int,
    num_blocks: int,
    **_: Any,
) -> None:
    """Raises TooLarge, and ValueError or DecompressionError for a block that lies of its size."""
    budget = _budget.get()
    if budget is None:  # somebody else reads, with the same uproot
        return
    if not num_blocks:
        budget.take(uncompressed_bytes)
    start = cursor.index + _HEADER_BYTES
    header = bytes(chunk.get(cursor.index, start, cursor, context))
    packed, size = (int.from_bytes(header[at : at + 3], "little") for at in (3, 6))
    if filled + size > uncompressed_bytes:
        raise ValueError("a block in it is larger than what it is a part of")
    if expand := _EXPAND.get(header[:2]):
        expand(chunk.get(start, start + packed, cursor, context), np.empty(size, np.uint8))


if not hasattr(decompress, "hook_before_block"):
    raise ImportError("this uproot has no decompress.hook_before_block, which bounds what it reads")
decompress.hook_before_block = check_block
