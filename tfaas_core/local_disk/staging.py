"""Staging: the local folders of uploads that are not stored yet."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from tfaas_core.errors import Busy
from tfaas_core.local_disk.disk import lock, remove, write_whole

_TOKEN = re.compile(r"[0-9a-f]{32}")


def new_token() -> str:
    """A name that nothing else has."""
    return secrets.token_hex(16)


def is_token(name: str) -> bool:
    """Whether a name is one of those: what has another was not made here."""
    return _TOKEN.fullmatch(name) is not None


class StagingArea:
    """Makes a private folder for each upload, inside one folder that several processes share.

    A staging folder is locked for as long as its process lives and has not given it back. So a
    sweep, of whatever process, knows those that killed processes left behind. Methods raise
    OSError as it comes, but for ``discard``; they may be called from any thread.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[Path, int] = {}

    def stage(self) -> Path:
        """A new, empty folder. The area is made if it is missing, but not its parents."""
        with suppress(FileExistsError):
            os.mkdir(self._folder, 0o700)
        while True:
            staging = self._folder / new_token()
            with suppress(Busy):  # a sweep came upon it before it was locked
                self._held[staging] = lock(staging)
                return staging

    def write_whole(self, path: Path, content: bytes) -> None:
        """Puts ``content`` in the place of the file ``path``, for good: wholly or not at all.

        What a process that is killed meanwhile leaves is a staging folder.
        """
        staging = self.stage()
        try:
            write_whole(path, content, staging)
        finally:
            self.discard(staging)

    def discard(self, staging: Path) -> None:
        """Removes a staging folder; does nothing if it is gone."""
        remove(staging)
        self.release(staging)

    def release(self, staging: Path) -> None:
        """Gives up a staging folder as it is, because it was renamed."""
        descriptor = self._held.pop(staging, None)
        if descriptor is not None:
            os.close(descriptor)

    def sweep(self) -> None:
        """Removes all folders that were made here, and that no process holds."""
        with suppress(FileNotFoundError):
            for leftover in list(self._folder.iterdir()):
                if is_token(leftover.name):
                    _remove_unless_held(leftover)

    def close(self) -> None:
        """Gives up all staging folders as they are: the next sweep removes them."""
        for staging in list(self._held):
            self.release(staging)


def _remove_unless_held(leftover: Path) -> None:
    if not leftover.is_dir() or leftover.is_symlink():
        remove(leftover)
        return
    with suppress(Busy):
        descriptor = lock(leftover)
        try:
            remove(leftover)
        finally:
            os.close(descriptor)
