"""Form: a multipart/form-data body, read as it arrives, its files straight to the disk."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.files.archives import START_BYTES, Archive, archive_of
from tfaas_core.storage import disk_error
from tfaas_core.uploads.multipart import Event, PartHead, Splitter

MAX_FIELD_BYTES = 64 * 1024
"""Of a text field, which is kept in memory."""

MAX_IGNORED_PARTS = 100
"""Of text fields that nobody asked for; each may be as long as any other."""

_IGNORED_FILE = "op"

_PIECE_BYTES = 256 * 1024
_BATCH_BYTES = 1024 * 1024
_PLAIN_ENCODINGS = ("", "7bit", "8bit", "binary")

OnField: TypeAlias = Callable[[str], Awaitable[None]]
"""Awaited with the value of a text field, as soon as it is complete."""


class FormFile(msgspec.Struct, frozen=True):
    """A file of a form, as it was stored.

    ``filename`` is what the client called it, without folders and unprintable characters, 255
    characters at most; empty if the client did not say. ``sha256`` is in hexadecimal digits.
    ``archive`` is the kind that it begins as, None for anything else.
    """

    path: Path
    filename: str
    size_bytes: int
    sha256: str
    archive: Archive | None


class Form(msgspec.Struct, frozen=True):
    """What a form held: text fields and files, by the names of their parts."""

    fields: Mapping[str, str]
    files: Mapping[str, FormFile]


async def read_form(
    stream: AsyncIterator[bytes],
    content_type: str,
    *,
    fields: Mapping[str, OnField | None],
    files: Mapping[str, Path],
    max_bytes: int,
) -> Form:
    """Reads a form whose parts may be the text ``fields`` and the ``files``, each once.

    Each field comes with what is awaited with its value, if anything is. Other text fields, and a
    file ``op``, are ignored, see ``check_ignorable``.

    A file is written to the path that ``files`` gives it, in the default executor, while the body
    arrives; when this ends, also by an error or cancelled, nobody writes to it any more, and what
    was written is the caller's to remove. ``content_type`` is the request's header.

    Raises UnsupportedMediaType if that is not a form's, BadBody if the body is no such form
    or has other parts, TooLarge for more than ``max_bytes``, StorageFull and StorageUnavailable
    if a file cannot be written, and whatever ``stream`` and what is awaited raise.
    """
    splitter = Splitter.of(content_type)
    parts = _Parts(fields, files)
    total_bytes = 0
    async for chunk in stream:
        total_bytes += len(chunk)
        if total_bytes > max_bytes:
            raise _too_large(max_bytes)
        for start in range(0, len(chunk), _PIECE_BYTES):
            for event in splitter.split(chunk[start : start + _PIECE_BYTES]):
                await parts.take(event)
    if not splitter.is_complete:
        raise BadBody("the form stops before its closing boundary")
    return parts.form


async def store_body(stream: AsyncIterator[bytes], path: Path, max_bytes: int) -> FormFile:
    """Writes a body that is no form to ``path`` while it arrives, as ``read_form`` does a file.

    Raises TooLarge for more than ``max_bytes``, StorageFull, StorageUnavailable, and whatever
    ``stream`` raises.
    """
    file = _File("body", path, "")
    total_bytes = 0
    async for chunk in stream:
        total_bytes += len(chunk)
        if total_bytes > max_bytes:
            raise _too_large(max_bytes)
        await file.write(chunk)
    return await file.finish()


def check_ignorable(head: PartHead, known: Sequence[str], before: int) -> None:
    """Whether a part that is none of ``known`` is ignored: clients send what others ask for.

    ``before``: how many were already. Raises BadBody if only the case of its name is wrong, if
    there are too many, and if it is a file, which nobody sends for nothing. But old servers read
    ``op`` if it is a file alone.
    """
    name = head.name
    right = next((each for each in known if each.lower() == name.lower()), None)
    if right is not None:
        raise BadBody(f"the form has a part {name!r}: call it {right!r}", field=name)
    there = ", ".join(map(repr, known))
    if head.filename is not None and name != _IGNORED_FILE:
        raise BadBody(
            f"the form has a file {name[:80]!r}, which is none of {there}", field=name[:80]
        )
    if before >= MAX_IGNORED_PARTS:
        raise BadBody(
            f"the form has more than {MAX_IGNORED_PARTS} parts that are none of {there}",
            field=name[:80],
        )


def check_length(announced: str, max_bytes: int) -> None:
    """Raises TooLarge if the header Content-Length, empty for none, says too much already."""
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"the upload is larger than {max_bytes} bytes, the limit limits.max_upload_bytes",
        expected=max_bytes,
    )


class _Parts:
    """Makes a Form of events."""

    def __init__(self, fields: Mapping[str, OnField | None], files: Mapping[str, Path]) -> None:
        self._fields = fields
        self._paths = files
        self._done_fields: dict[str, str] = {}
        self._done_files: dict[str, FormFile] = {}
        self.form = Form(self._done_fields, self._done_files)
        self._part: _Field | _File | None = None
        self._ignored = 0

    async def take(self, event: Event) -> None:
        if isinstance(event, PartHead):
            self._part = self._begin(event)
        elif isinstance(event, bytes):
            assert self._part is not None
            await self._part.write(event)
        else:
            await self._end()

    def _begin(self, head: PartHead) -> _Field | _File:
        name = head.name
        if name in self._done_fields or name in self._done_files:
            raise BadBody(f"the form has two parts {name!r}", field=name)
        known = [*self._fields, *self._paths]
        if name not in known:
            check_ignorable(head, known, self._ignored)
            self._ignored += 1
            return _Field(name)
        if head.encoding not in _PLAIN_ENCODINGS:
            raise BadBody(
                f"the part {name!r} has Content-Transfer-Encoding {head.encoding[:40]!r}; "
                "send its bytes as they are",
                field=name,
            )
        if name in self._paths:
            return _File(name, self._paths[name], head.filename or "")
        if head.filename is not None:
            raise BadBody(f"the part {name!r} is a file; send it as text", field=name)
        return _Field(name)

    async def _end(self) -> None:
        if isinstance(self._part, _File):
            self._done_files[self._part.name] = await self._part.finish()
        elif self._part is not None and self._part.name in self._fields:
            name, value = self._part.name, self._part.value()
            self._done_fields[name] = value
            if (on_field := self._fields[name]) is not None:
                await on_field(value)


class _Field:
    """A text field that is arriving."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._raw = bytearray()

    async def write(self, data: bytes) -> None:
        self._raw += data
        if len(self._raw) > MAX_FIELD_BYTES:
            raise BadBody(
                f"the part {self.name[:80]!r} is longer than {MAX_FIELD_BYTES} bytes, "
                "the most that a text field may have",
                field=self.name[:80],
            )

    def value(self) -> str:
        try:
            return self._raw.decode()
        except UnicodeDecodeError as error:
            raise BadBody(
                f"the part {self.name!r} is not UTF-8: {error}", field=self.name
            ) from None


class _File:
    """A file that is arriving."""

    def __init__(self, name: str, path: Path, filename: str) -> None:
        self.name = name
        self._path = path
        self._filename = filename
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._size_bytes = 0
        self._sha256 = hashlib.sha256()
        self._archive: Archive | None = None
        self._exists = False

    async def write(self, data: bytes) -> None:
        self._batch.append(data)
        self._batch_bytes += len(data)
        if self._batch_bytes >= _BATCH_BYTES:
            await _in_thread(self._store)

    async def finish(self) -> FormFile:
        if self._batch or not self._exists:
            await _in_thread(self._store)
        said = self._filename, self._size_bytes, self._sha256.hexdigest(), self._archive
        return FormFile(self._path, *said)

    def _store(self) -> None:
        # Opened anew each time, so that nothing is left open whatever ends the upload.
        mode = "ab" if self._exists else "wb"
        try:
            with open(self._path, mode, opener=_open_private) as file:
                file.writelines(self._batch)
        except OSError as error:
            doing = f"storing the part {self.name!r}"
            raise disk_error(doing, self._path.parent, error) from error
        for data in self._batch:
            self._sha256.update(data)
        if not self._exists:
            self._archive = archive_of(b"".join(self._batch)[:START_BYTES])
        self._exists = True
        self._size_bytes += self._batch_bytes
        self._batch, self._batch_bytes = [], 0


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def _in_thread(work: Callable[[], None]) -> None:
    """Runs ``work`` in a thread and waits for its end, also when cancelled."""
    job = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.gather(job, return_exceptions=True)
        raise
