"""The cache of modes: a local folder, any file of which may be removed at any time.

::

    cache/modes/HEX.json       the mode in which a version is run, and why
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec

from tfaas_core.engine.in_parent.conversion_cache import entry_name
from tfaas_core.engine.shared.mode import Mode
from tfaas_core.system.cores import usable_cores

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
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(self._path(key), flags)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file, suppress(msgspec.MsgspecError, UnicodeDecodeError):
            return msgspec.json.decode(file.read(_MOST_BYTES), type=Mode)
        return None

    def keep(self, key: str, mode: Mode) -> None:
        """Writes it, whole or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-", delete=False) as file:
            try:
                file.write(msgspec.json.encode(mode))
                file.flush()
                os.replace(file.name, self._path(key))
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
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
