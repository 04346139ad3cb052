"""The files of a version's artifact, on their way into the database and out of it.

Neither way holds more than a few chunks in memory, or a transaction open for longer than a few
chunks take. Functions raise SQLAlchemy's errors and OSError as they come.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NoReturn

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from tfaas_backends.storages.sql.database import inserted_id
from tfaas_backends.storages.sql.tables import chunks, files, versions
from tfaas_core.models.checksum import PREFIX, folder_checksum
from tfaas_core.storage import MODEL

CHUNK_BYTES = 1024 * 1024
_BATCH_BYTES = 4 * CHUNK_BYTES
"""In one transaction: each waits for the disk, and keeps others waiting."""
_REMOVED_AT_ONCE = 32
"""Chunks, in one transaction."""


class BrokenFile(Exception):
    """A stored file has not the bytes it was stored with; ``path`` is its own."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class _Stored(msgspec.Struct, frozen=True):
    """A row of ``files``. An empty folder is one, too: its path ends in ``/``."""

    id: int
    path: str
    size_bytes: int
    sha256: str


class Batches:
    """Splits what is written inside its block into transactions of a few chunks."""

    def __init__(self, writing: Callable[[], AbstractContextManager[None]]) -> None:
        """``writing`` gives a transaction."""
        self._writing = writing
        self._open = ExitStack()
        self._written = 0

    def __enter__(self) -> Batches:
        self._open.enter_context(self._writing())
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def wrote(self, size_bytes: int) -> None:
        """Starts a new transaction if this one has enough."""
        self._written += size_bytes
        if self._written >= _BATCH_BYTES:
            self._open.close()
            self._written = 0
            self._open.enter_context(self._writing())


def write_files(connection: Connection, version_id: int, staging: Path, batches: Batches) -> str:
    """Stores the artifact in ``staging`` as files of a pending version; returns its checksum."""
    sums = {}
    for path in sorted(_paths(staging)):
        row = {"version_id": version_id, "path": path, "size_bytes": 0, "sha256": ""}
        result = connection.execute(insert(files), row)
        if not path.endswith("/"):
            sums[path] = _write(connection, inserted_id(result), staging / path, batches)
    return _checksum(sums)


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


def _write(connection: Connection, file_id: int, path: Path, batches: Batches) -> str:
    digest, size_bytes = hashlib.sha256(), 0
    insertion = insert(chunks)
    with path.open("rb") as file:
        for position, data in enumerate(iter(partial(file.read, CHUNK_BYTES), b"")):
            row = {"file_id": file_id, "position": position, "data": data}
            connection.execute(insertion, row)
            digest.update(data)
            size_bytes += len(data)
            batches.wrote(len(data))
    told = {"size_bytes": size_bytes, "sha256": digest.hexdigest()}
    connection.execute(update(files).where(files.c.id == file_id).values(told))
    return digest.hexdigest()


def read_files(connection: Connection, version_id: int, folder: Path) -> str:
    """Writes a version's files into ``folder``; returns the artifact's checksum.

    Raises BrokenFile.
    """
    sums = {}
    wanted = select(*files.c["id", "path", "size_bytes", "sha256"])
    rows = connection.execute(wanted.where(files.c.version_id == version_id)).all()
    for stored in (_Stored(*row) for row in rows):
        target = folder / _safe(stored.path)
        if stored.path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            _read(connection, stored, file)
        sums[stored.path] = stored.sha256
    return _checksum(sums)


def _safe(path: str) -> PurePosixPath:
    parts = PurePosixPath(path).parts
    if parts[:1] != (MODEL,) or ".." in parts or "\0" in path:
        raise BrokenFile(path)
    return PurePosixPath(path)


_CHUNK = select(chunks.c.data).where(
    chunks.c.file_id == bindparam("file"), chunks.c.position == bindparam("position")
)


def _read(connection: Connection, stored: _Stored, file: BinaryIO) -> None:
    digest, size_bytes, position = hashlib.sha256(), 0, 0
    while size_bytes < stored.size_bytes:
        data = connection.scalar(_CHUNK, {"file": stored.id, "position": position})
        if not data:
            break
        file.write(data)
        digest.update(data)
        size_bytes += len(data)
        position += 1
    if (size_bytes, digest.hexdigest()) != (stored.size_bytes, stored.sha256):
        raise BrokenFile(stored.path)


def _checksum(sums: dict[str, str]) -> str:
    if MODEL in sums:
        return f"{PREFIX}{sums[MODEL]}"
    return folder_checksum({path.removeprefix(f"{MODEL}/"): sums[path] for path in sums})


def remove_pending(connection: Connection, name: str) -> None:
    """Removes the versions of a claimed name that were not stored, or are not any more."""
    pending = select(versions.c.id).where(versions.c.name == name, versions.c.number.is_(None))
    for version_id in connection.scalars(pending).all():
        mine = files.c.version_id == version_id
        for file_id in connection.scalars(select(files.c.id).where(mine)).all():
            _remove_chunks(connection, file_id)
        connection.execute(delete(files).where(mine))
        connection.execute(delete(versions).where(versions.c.id == version_id))


def _remove_chunks(connection: Connection, file_id: int) -> None:
    mine = chunks.c.file_id == file_id
    last = select(chunks.c.position).where(mine).order_by(chunks.c.position.desc()).limit(1)
    while (position := connection.scalar(last)) is not None:
        some = chunks.c.position > position - _REMOVED_AT_ONCE
        connection.execute(delete(chunks).where(mine, some))


def _raise(error: OSError) -> NoReturn:
    raise error
