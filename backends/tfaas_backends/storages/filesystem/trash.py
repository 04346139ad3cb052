"""Trash: what was removed, on its way off the disk."""

from __future__ import annotations

import os
from pathlib import Path

from tfaas_core.local_disk.disk import remove, sync
from tfaas_core.local_disk.staging import is_token, new_token


class Trash:
    """The folder ``folder``, which is made when it is needed. All methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> Path:
        """The folder, which is there now."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return self._folder

    def take(self, path: Path) -> None:
        """Takes away a file or folder by one rename, then deletes it."""
        # A random name, not mkdtemp: on a full disk a rename still works.
        gone = self.make() / new_token()
        os.rename(path, gone)
        sync(path.parent)
        remove(gone)

    def sweep(self) -> None:
        """Deletes what others took and did not delete."""
        for leftover in self.make().iterdir():
            if is_token(leftover.name):
                remove(leftover)
