"""The cache of modes: a local folder, any file of which may be removed at any time.

::

    cache/modes/HEX.json       the mode in which a version is run, and why
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from tfaas_core.engine.in_parent.cache_entry import entry_name, written_entry
from tfaas_core.engine.shared.mode import Mode
from tfaas_core.files.regular_file import read_regular
from tfaas_core.system.resources.cores import usable_cores
from tfaas_core.texts.unreadable import UNREADABLE

_MOST_FILES = 10_000
"""Beyond it, the oldest go."""

_MOST_BYTES = 1 << 16


class ModeCache:
    """The modes of versions by their keys, for processors and cores as this machine has them.

    Methods block, and raise OSError; a damaged file is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> Mode | None:
        """What is kept of a version."""
        try:
            content = read_regular(self._path(key), _MOST_BYTES)
        except FileNotFoundError:
            return None
        with suppress(*UNREADABLE):
            return msgspec.json.decode(content, type=Mode)
        return None

    def keep(self, key: str, mode: Mode) -> None:
        """Writes it, whole or not at all."""
        with written_entry(self._path(key)) as file:
            file.write(msgspec.json.encode(mode))
        self._make_room()

    def _make_room(self) -> None:
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
        for _, path in sorted(found)[: max(0, len(found) - _MOST_FILES)]:
            Path(path).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{entry_name([key, f'{usable_cores()} cores'])}.json"
