"""stderr, muted: for libraries that write to it past Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def stderr_muted() -> Iterator[TextIO]:
    """On the descriptor: the processes that are started in the block inherit it.

    Yields the stderr of before, for what is to be told all the same.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        with open(kept, "w", buffering=1, encoding="utf-8", closefd=False) as before:
            yield before
    finally:
        os.dup2(kept, 2)
        os.close(kept)
