"""Root: the folder of a filesystem storage, which may be missing, read-only or gone."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from tfaas_backends.storages.local_disk.disk import check_can_be_made, remove, sync
from tfaas_backends.storages.local_disk.staging import is_token, new_token
from tfaas_core.errors import ConfigError, StorageUnavailable

TRASH = ".trash"
REVISION = ".revision"


class Root:
    """The folder ``path``, and what it holds beside the models: its trash and its revision."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def make(self) -> None:
        """Makes it where it is missing; raises ConfigError where it cannot be used."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.listdir(self.path)
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error

    def examine(self) -> None:
        """Makes nothing; raises ConfigError where it could not be made or used."""
        try:
            check_can_be_made(self.path)
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error

    def is_writable(self) -> bool:
        return os.access(self.path, os.W_OK | os.X_OK)

    def check_writable(self) -> None:
        """Raises StorageUnavailable where it is read-only, OSError where it is gone."""
        os.stat(self.path)
        if not self.is_writable():
            raise StorageUnavailable("the model storage is read-only: no model can be changed")

    def make_trash(self) -> Path:
        trash = self.path / TRASH
        trash.mkdir(mode=0o700, exist_ok=True)
        return trash

    def trash(self, path: Path) -> None:
        """Removes what lies in it, by a rename first, so that nobody sees half of it."""
        # A random name, not mkdtemp: on a full disk a rename still works.
        gone = self.make_trash() / new_token()
        os.rename(path, gone)
        sync(path.parent)
        remove(gone)

    def empty_trash(self) -> None:
        """Removes what a killed server has left."""
        for leftover in self.make_trash().iterdir():
            if is_token(leftover.name):
                remove(leftover)

    def touch(self) -> None:
        """Changes the revision; if that fails, others see it at their next full look (30 s)."""
        with suppress(OSError):
            os.close(os.open(self.path / REVISION, os.O_WRONLY | os.O_CREAT, 0o600))
            now_ns = time.time_ns()
            os.utime(self.path / REVISION, ns=(now_ns, now_ns))

    def revision(self) -> str:
        """Another text after each change."""
        # Names that somebody adds or removes by hand change the root.
        root = os.stat(self.path).st_mtime_ns
        try:
            # Network disks tell what is new to whoever opens a file.
            descriptor = os.open(self.path / REVISION, os.O_RDONLY)
        except FileNotFoundError:
            return f"{root}"
        try:
            return f"{root}-{os.fstat(descriptor).st_mtime_ns}"
        finally:
            os.close(descriptor)

    def read_only(self) -> str:
        """What to tell of it where it is not writable."""
        return f"{self.path} is read-only: its models are served, none can be changed"

    def _unusable(self, error: Exception) -> ConfigError:
        what = f"the models' folder {str(self.path)!r}"
        why = f"cannot be used: {getattr(error, 'strerror', None) or error}"
        with suppress(OSError, ValueError):
            if self.path.exists() and not self.path.is_dir():
                why = "is a file; name a folder"
        return ConfigError(f"{what} {why} - at `$.storage.root`")
