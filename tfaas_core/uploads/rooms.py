"""Rooms: what uploads that are under way have on the disk, or may have, as all processes see it.

::

    STAGING         the folder of an upload
    STAGING.room    what is reserved for it; locked by its process for as long as it lasts

So what a killed process had reserved is nobody's at once.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tfaas_core.errors import Unavailable
from tfaas_core.storage import disk_errors
from tfaas_core.texts.unreadable import UNREADABLE

TURN_LIMIT_S = 30.0
"""How long an upload waits for its turn."""

_POLL_S = 0.01
_SUFFIX = ".room"
_MOST_BYTES = 1 << 16


class Reserved(msgspec.Struct, frozen=True):
    """What is reserved for an upload: bytes, and perhaps a name.

    ``stored``: which version it is about to become, if it is; see ``stored_as``.
    """

    size_bytes: int = 0
    name: str = ""
    stored: tuple[str, str, str] = ("", "", "")


class Room:
    """What is reserved for the upload in a staging folder, until it is closed.

    Methods block. They raise StorageUnavailable and StorageFull of the disk, and Unavailable if too
    many others are at it.
    """

    def __init__(self, staging: Path) -> None:
        self._area = staging.parent
        self._file = staging.with_name(staging.name + _SUFFIX)
        self._descriptor = -1
        self.reserved = Reserved()

    def reserve(self, wanted: Reserved, check: Callable[[list[Reserved]], None]) -> None:
        """Makes ``wanted`` what is reserved, unless ``check`` raises.

        It gets what is reserved for all others, and nobody else reserves meanwhile.
        """
        with disk_errors("reserving room for an upload", self._area), _alone_in(self._area):
            check([*self._others()])
            if self._descriptor < 0:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
                self._descriptor = os.open(self._file, flags, 0o600)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            content = msgspec.json.encode(wanted)
            os.pwrite(self._descriptor, content, 0)
            os.ftruncate(self._descriptor, len(content))
            self.reserved = wanted

    def close(self) -> None:
        """Gives back what is reserved."""
        if self._descriptor >= 0:
            self._file.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def _others(self) -> Iterator[Reserved]:
        for entry in os.scandir(self._area):
            if entry.name.endswith(_SUFFIX) and entry.name != self._file.name:
                yield from _read(Path(entry.path))


@contextmanager
def _alone_in(area: Path) -> Iterator[None]:
    """Holds the lock on a folder."""
    descriptor = os.open(area, os.O_RDONLY | os.O_DIRECTORY)
    try:
        end_s = time.monotonic() + TURN_LIMIT_S
        while not _locks(descriptor):
            if time.monotonic() > end_s:
                raise Unavailable("other uploads are looking for room; try again")
            time.sleep(_POLL_S * (1 + random.random()))
        yield
    finally:
        os.close(descriptor)


def _read(file: Path) -> Iterator[Reserved]:
    """What a file reserves; it is removed if its process has ended."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:  # its upload has just ended
        return
    try:
        if _locks(descriptor):
            file.unlink(missing_ok=True)
            return
        # The disk had no room for what it was to say, or lost it.
        with suppress(*UNREADABLE):
            yield msgspec.json.decode(os.read(descriptor, _MOST_BYTES), type=Reserved)
    finally:
        os.close(descriptor)


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
