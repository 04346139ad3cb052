"""stdout, kept for what a command prints: what foreign code prints goes to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


@contextmanager
def stdout_is_stderr() -> Iterator[TextIO]:
    """On the descriptor, for the block: so that no module keeps another ``sys.stdout``.

    Yields the stdout of before, for what is to go there all the same.
    """
    try:
        kept = os.dup(1)
    except OSError:  # it is closed
        with open(os.devnull, "w") as null:
            yield null
        return
    try:
        give_up_stdout()
        with open(kept, "w", buffering=1, encoding="utf-8", closefd=False) as before:
            yield before
    finally:
        _flush()
        os.dup2(kept, 1)
        os.close(kept)


def give_up_stdout() -> None:
    """From now on, what this process and its children print goes to stderr."""
    _flush()
    with suppress(OSError):
        os.dup2(2, 1)


def _flush() -> None:
    # It may be None, or closed.
    with suppress(Exception):
        sys.stdout.flush()
