"""The cache of conversions: a local folder, any file of which may be removed at any time.

::

    cache/accelerated/HEX      a conversion: its SHA-256, what was found out, and the content
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from tfaas_core.engine.in_parent.cache_entry import written_entry
from tfaas_core.engine.shared.acceleration import HEAD_BYTES, Acceleration
from tfaas_core.texts.unreadable import UNREADABLE

MOST_BYTES = 2 * 2**30
"""Of all entries; beyond it, the least recently used go."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Whatever lies there, nobody waits for it: a FIFO, say."""

_DIGEST_BYTES = 32

_log = logging.getLogger("tfaas.engine")


class CachedConversion(msgspec.Struct, frozen=True):
    """``descriptor`` is the file's, to be closed by whoever gets the entry; ``start`` is where the
    content begins in it."""

    found: Acceleration
    descriptor: int
    start: int
    size_bytes: int


class ConversionCache:
    """Entries by their names. Methods block, and raise OSError; a damaged entry is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> CachedConversion | None:
        """The entry of this name, if it is whole; it counts as used now."""
        path = self.folder / name
        try:
            descriptor = os.open(path, _FLAGS)
        except FileNotFoundError:
            return None
        entry = None
        try:
            entry = _checked(descriptor)
            with suppress(OSError):
                os.utime(path)
        finally:
            if entry is None:
                os.close(descriptor)
        if entry is None:
            _log.warning("%s in the cache of conversions is damaged, and is removed", name)
            path.unlink(missing_ok=True)
        return entry

    def add(self, name: str, found: Acceleration, pieces: Iterable[bytes]) -> None:
        """Writes an entry, whole or not at all, and makes room for it; ``pieces``: its content."""
        head = msgspec.msgpack.encode(found)
        summed = hashlib.sha256()
        with written_entry(self.folder / name) as file:
            file.seek(_DIGEST_BYTES)
            for piece in (len(head).to_bytes(HEAD_BYTES), head, *pieces):
                summed.update(piece)
                file.write(piece)
            file.seek(0)
            file.write(summed.digest())
        self._make_room()

    def _make_room(self) -> None:
        """What killed servers left half written goes, too, once it is old."""
        known = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                status = path.stat()
                known.append((status.st_mtime, status.st_size, path))
        surplus = sum(size for _, size, _ in known) - MOST_BYTES
        for _, size, path in sorted(known):
            if surplus <= 0:
                break
            path.unlink(missing_ok=True)
            surplus -= size


def _checked(descriptor: int) -> CachedConversion | None:
    size = os.fstat(descriptor).st_size
    digest = os.pread(descriptor, _DIGEST_BYTES, 0)
    length = os.pread(descriptor, HEAD_BYTES, _DIGEST_BYTES)
    start = _DIGEST_BYTES + HEAD_BYTES + int.from_bytes(length)
    summed, at = hashlib.sha256(), _DIGEST_BYTES
    while part := os.pread(descriptor, 1 << 20, at):
        summed.update(part)
        at += len(part)
    if summed.digest() != digest or len(length) < HEAD_BYTES or start > size:
        return None
    head = os.pread(descriptor, int.from_bytes(length), _DIGEST_BYTES + HEAD_BYTES)
    with suppress(*UNREADABLE):
        found = msgspec.msgpack.decode(head, type=Acceleration)
        return CachedConversion(found, descriptor, start, size - start)
    return None
