"""Freed memory: how much of it the C library keeps for the next who asks."""

from __future__ import annotations

from contextlib import suppress


def keep_freed(most_bytes: int) -> None:
    """Has this process keep about so much of it, at least, if it has used as much.

    Else what a run, say, has for a while may go back to the kernel at its end, which clears each
    page of it for the next. ``most_bytes``: 64 MiB at most.
    """
    # What glibc keeps is twice the largest piece so far that had pages of its own and was freed.
    # It had none that were used.
    with suppress(MemoryError):
        bytearray(most_bytes // 2)
