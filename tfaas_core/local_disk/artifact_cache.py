"""The cache of artifacts: a local folder that models are loaded from.

::

    cache/sha256/HEX/model      an artifact, by its checksum
    cache/.staging/RANDOM/      an upload, or what is being fetched
    cache/.locks/HEX            locked while this artifact is fetched

Processes and servers of one machine may share it. Methods raise OSError as it comes.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tfaas_core.errors import DamagedFile
from tfaas_core.local_disk.disk import check_can_be_made, remove, sync, sync_tree
from tfaas_core.local_disk.staging import StagingArea
from tfaas_core.models.checksum import PREFIX, is_whole
from tfaas_core.storage import MODEL

_IN_USE_S = 600
"""What was used within this time may be being loaded right now, and stays."""

_QUICK_S = 0.002
_REST = 20
"""Where sizing up the cache took longer than that, it rests for so many times as long, ..."""
_TOLERANCE = 1 / 16
"""... or until this process alone may have added that much, of the limit, to what is too much."""

_log = logging.getLogger("tfaas.storage")


class ArtifactCache:
    """Artifacts on the local disk; the least recently used go if they exceed ``max_bytes``."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.staging = StagingArea(folder / ".staging")
        self._max_bytes = max_bytes
        self._entries = folder / "sha256"
        self._locks = folder / ".locks"
        self._size_up_at_s = 0.0
        self._room_bytes = 0.0

    def open(self) -> None:
        """Makes the folder if it is missing."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._entries, self._locks):
            folder.mkdir(mode=0o700, exist_ok=True)

    def examine(self) -> None:
        """Raises what ``open`` would raise, as far as can be told without making anything."""
        for folder in (self._entries, self._locks):
            check_can_be_made(folder)

    def sweep(self) -> None:
        """Removes what killed processes left."""
        self.staging.sweep()
        with suppress(FileNotFoundError):
            for path in list(self._locks.iterdir()):
                _remove_unless_locked(path)

    def stage(self) -> Path:
        """A new, empty folder on the same disk."""
        self.open()
        return self.staging.stage()

    def find(self, checksum: str) -> Path | None:
        """The artifact of this checksum, if it is there and undamaged; it counts as used now."""
        if not self._use(checksum):
            return None
        entry = self._entry(checksum)
        if is_whole(entry / MODEL, checksum):  # nobody is clearing the cache, or fills it
            return entry / MODEL
        _log.warning("%s in the cache is damaged, and is removed", entry.name)
        self._evict(entry)
        return None

    def fetch(self, checksum: str, fill: Callable[[Path], None]) -> Path:
        """The artifact, which ``fill`` writes into an empty folder if it is missing.

        Where another process is at it, waits for that one. What ``fill`` raises leaves nothing.
        """
        if (artifact := self.find(checksum)) is not None:
            return artifact
        with self._alone(checksum):
            if (artifact := self.find(checksum)) is not None:
                return artifact
            staging = self.stage()
            try:
                fill(staging)
                return self._put(staging, checksum)
            finally:
                self.staging.discard(staging)

    def check(self, fill: Callable[[Path], None]) -> None:
        """Has ``fill`` write an artifact that is not kept, to see whether it can."""
        staging = self.stage()
        try:
            fill(staging)
        finally:
            self.staging.discard(staging)

    def add(self, staging: Path, checksum: str) -> None:
        """Takes a staging folder, which holds the artifact of this checksum and else nothing."""
        with self._alone(checksum):
            if not self._use(checksum):
                self._put(staging, checksum)
        self.staging.discard(staging)

    def forget(self, checksums: Iterable[str]) -> None:
        """Nobody needs these any more: if there is too much, they go first, and at once."""
        for checksum in checksums:
            with suppress(FileNotFoundError):
                os.utime(self._entry(checksum), (0, 0))
        self._size_up_at_s = 0.0
        self._shrink()

    def _use(self, checksum: str) -> bool:
        """Whether there is such an entry; it counts as used now, and is not evicted for a while."""
        entry = self._entry(checksum)
        try:
            os.utime(entry)
        except FileNotFoundError:
            return False
        except OSError:  # a read-only disk
            return entry.exists()
        return True

    def _put(self, staging: Path, checksum: str) -> Path:
        entry = self._entry(checksum)
        sync_tree(staging)
        os.rename(staging, entry)
        os.utime(entry)
        sync(self._entries)
        self._room_bytes -= _size_bytes(entry)
        self._shrink()
        return entry / MODEL

    def _entry(self, checksum: str) -> Path:
        hexadecimal = checksum.removeprefix(PREFIX)
        if re.fullmatch("[0-9a-f]{64}", hexadecimal) is None:
            raise DamagedFile(f"{checksum[:80]!r} is no checksum of a model's files")
        return self._entries / hexadecimal

    @contextmanager
    def _alone(self, checksum: str) -> Iterator[None]:
        self.open()
        path = self._locks / self._entry(checksum).name
        descriptor = _wait_for_lock(path)
        try:
            yield
        finally:
            try:
                path.unlink(missing_ok=True)
            finally:
                os.close(descriptor)

    def _shrink(self) -> None:
        start_s = time.monotonic()
        if start_s < self._size_up_at_s and self._room_bytes >= 0:
            return
        entries = []
        for entry in self._entries.iterdir():
            with suppress(FileNotFoundError):  # another process removes, too
                entries.append((entry.stat().st_mtime, _size_bytes(entry), entry))
        took_s = time.monotonic() - start_s
        self._size_up_at_s = start_s + (_REST * took_s if took_s > _QUICK_S else 0.0)
        excess_bytes = sum(size_bytes for _, size_bytes, _ in entries) - self._max_bytes
        for used, size_bytes, entry in sorted(entries):
            if excess_bytes <= 0 or time.time() - used < _IN_USE_S:
                break
            with suppress(FileNotFoundError):
                # Sizing them up took a while: somebody may have begun to use it.
                if entry.stat().st_mtime == used:
                    self._evict(entry)
                    excess_bytes -= size_bytes
        tolerated_bytes = self._max_bytes * _TOLERANCE
        self._room_bytes = tolerated_bytes - min(excess_bytes, 0)

    def _evict(self, entry: Path) -> None:
        gone = self.staging.stage()
        try:
            os.rename(entry, gone)  # onto an empty folder
            _log.info("%s was used least recently, and is removed from the cache", entry.name)
        except FileNotFoundError:
            pass
        finally:
            self.staging.discard(gone)


def _remove_unless_locked(path: Path) -> None:
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever has opened it meanwhile sees that it is gone, and makes another.
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                path.unlink()
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)


def _wait_for_lock(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the holder before took the file away


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def clear_but_model(staging: Path) -> None:
    """Removes from an upload's folder all but its artifact."""
    for path in staging.iterdir():
        if path.name != MODEL:
            remove(path)
