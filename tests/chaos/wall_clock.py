"""A wall clock that jumps for the server alone; the machine's own is never touched."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")


class WallClock:
    """Wrong by some seconds, for processes that are started with ``environment``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._file = folder / "offset"
        self._file.write_bytes(struct.pack("q", 0))
        self._library = folder / "clock.so"
        self.wrong_s = 0
        options = ["-shared", "-fPIC", "-O1", f'-DOFFSET_FILE="{self._file}"']
        command = [_compiler(), *options, "-o", str(self._library), str(_SOURCE)]
        subprocess.run(command, check=True, capture_output=True)
        with self._file.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs that shall have this clock."""
        return {"LD_PRELOAD": str(self._library)}

    def set(self, wrong_s: int) -> None:
        """A jump: from now on it is wrong by so much."""
        self.wrong_s = wrong_s
        self._shared[:] = struct.pack("q", wrong_s)


def _compiler() -> str:
    return shutil.which("cc") or shutil.which("gcc") or ""


def why_no_wall_clock() -> str:
    """Why there can be none here; empty: there can."""
    return "" if _compiler() else "no C compiler, to give the server a clock of its own"
