"""Trees of files: how large they are."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def tree_bytes(path: Path) -> int:
    """Of a file, or of all in a folder; what cannot be read counts for nothing."""
    size_bytes = 0
    with suppress(OSError):
        size_bytes += path.stat().st_size
    for each in path.rglob("*"):
        with suppress(OSError):
            size_bytes += each.lstat().st_size
    return size_bytes
