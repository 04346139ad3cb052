"""Files: the bytes of an artifact, on their way into the bucket and out of it.

Each file is as many objects as it has pieces. So no request takes long, none has much in memory,
and what a killed server leaves are objects, which a sweep sees, and no half of a multipart upload.
Functions raise OSError of the local disk as it comes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn

import msgspec

from tfaas_core.models.checksum import PREFIX, folder_checksum
from tfaas_core.storage import MODEL
from tfaas_storage_s3 import keys
from tfaas_storage_s3.bucket import Bucket

PIECE_BYTES = 4 * 1024 * 1024


class StoredFile(msgspec.Struct, frozen=True):
    """A file of an artifact. An empty folder is one, too: its ``path`` ends in ``/``."""

    path: str
    size_bytes: int = 0


class Written(msgspec.Struct, frozen=True):
    """An artifact in the bucket."""

    files: tuple[StoredFile, ...]
    checksum: str


def write_files(
    bucket: Bucket, name: str, token: str, staging: Path, check: Callable[[], None]
) -> Written:
    """Puts the artifact in ``staging`` into the bucket; ``check`` is called before each piece."""
    files, sums = [], {}
    buffer = memoryview(bytearray(PIECE_BYTES))
    for number, path in enumerate(sorted(_paths(staging))):
        digest, size_bytes = hashlib.sha256(), 0
        if not path.endswith("/"):
            with (staging / path).open("rb", buffering=0) as file:
                for piece, data in enumerate(_pieces(file.readinto, buffer)):
                    check()
                    bucket.put(keys.of_piece(name, token, number, piece), data)
                    digest.update(data)
                    size_bytes += len(data)
            sums[path] = digest.hexdigest()
        files.append(StoredFile(path, size_bytes))
    if MODEL in sums:
        return Written(tuple(files), f"{PREFIX}{sums[MODEL]}")
    relative = {path.removeprefix(f"{MODEL}/"): each for path, each in sums.items()}
    return Written(tuple(files), folder_checksum(relative))


def _pieces(
    readinto: Callable[[memoryview], int | None], buffer: memoryview
) -> Iterator[memoryview]:
    """Full pieces, and what is left; each is in the buffer until the next is asked for."""
    filled = 0
    while count := readinto(buffer[filled:]):
        filled += count
        if filled == len(buffer):
            yield buffer
            filled = 0
    if filled:
        yield buffer[:filled]


def _paths(staging: Path) -> Iterator[str]:
    """The artifact's files, and folders that have none, relative to ``staging``."""
    if (staging / MODEL).is_file():
        yield MODEL
        return
    for folder, below, names in os.walk(staging / MODEL, onerror=_raise):
        relative = Path(folder).relative_to(staging).as_posix()
        yield from (f"{relative}/{name}" for name in names)
        if not below and not names:
            yield f"{relative}/"


def read_files(
    bucket: Bucket, name: str, token: str, files: tuple[StoredFile, ...], folder: Path
) -> str:
    """Writes an artifact's files into ``folder``; returns the path of one that is not there.

    Empty: all are. Whether their bytes are right, their checksum tells.
    """
    for number, stored in enumerate(files):
        if not _is_safe(stored.path):
            return stored.path
        target = folder / stored.path
        if stored.path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for piece in range(-(-stored.size_bytes // PIECE_BYTES)):
                data = bucket.get_piece(keys.of_piece(name, token, number, piece))
                if data is None:
                    return stored.path
                file.write(data)
    return ""


def _is_safe(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return parts[:1] == (MODEL,) and ".." not in parts and "\0" not in path


def _raise(error: OSError) -> NoReturn:
    raise error
