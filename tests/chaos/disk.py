"""A small disk that can be filled: a file system in memory, mounted for a run."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZE = "96m"
_FILLER = "filler"
_PIECE = b"x" * (1 << 16)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mounted at ``folder`` in the block."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=755", "chaos", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def why_no_small_disk() -> str:
    """Why there can be none here; empty: there can."""
    if os.geteuid() != 0:
        return "only root may mount a small disk"
    with tempfile.TemporaryDirectory(prefix="tfaas-chaos-") as folder:
        try:
            with small_disk(Path(folder) / "disk"):
                return ""
        except (OSError, subprocess.CalledProcessError) as error:
            return f"no small disk can be mounted: {error}"


def fill(folder: Path) -> Path:
    """Writes until the disk is full, also once more; returns the file that fills it."""
    filler = folder / _FILLER
    with filler.open("ab", buffering=0) as file:
        size = len(_PIECE)
        while size:
            try:
                size = file.write(_PIECE[:size])
            except OSError:
                size //= 2
    return filler
