"""Sent files: the artifact of an upload on its way to the host that is to try it.

A file is ``<BHQ`` (its kind, and the bytes of its path and of what it holds), the path and what it
holds; a folder has nothing of that, and the end has no path, either. Then the host says by ``<I``
(bytes) and MessagePack what is wrong, or null. All functions but ``in_thread`` block.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from struct import Struct as Layout
from typing import Concatenate, ParamSpec, TypeVar

import msgspec

from tfaas_core.engine.shared.messages import Failure
from tfaas_core.errors import BadBody, TfaasError, TooLarge
from tfaas_core.settings.tables import Limits
from tfaas_core.storage import disk_errors
from tfaas_core.texts.unreadable import UNREADABLE

P = ParamSpec("P")
T = TypeVar("T")

IDLE_LIMIT_S = 30.0
"""Of either side, until the next bytes go."""

_HEAD = Layout("<BHQ")
_LENGTH = Layout("<I")
_END, _FILE, _FOLDER = range(3)
_CHUNK_BYTES = 1 << 18
_MOST_PATH_BYTES = 1024
_MOST_TOLD_BYTES = 1 << 16


async def in_thread(
    sock: socket.socket,
    work: Callable[Concatenate[socket.socket, P], T],
    *rest: P.args,
    **no: P.kwargs,
) -> T:
    """Calls ``work`` with ``sock`` in a thread. If it is cancelled, it hangs up.

    It never returns before the thread does: what is closed beneath that may be another connection
    by the next byte.
    """
    thread = asyncio.create_task(asyncio.to_thread(work, sock, *rest, **no))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        await asyncio.wait([thread])
        thread.exception()
        raise


def send_files(sock: socket.socket, artifact: Path) -> None:
    """Sends a file, or a folder with all beneath. Raises OSError, and what the host found wrong."""
    sock.settimeout(IDLE_LIMIT_S)
    for path in _all_of(artifact):
        name = os.fsencode(path.relative_to(artifact.parent).as_posix())
        if path.is_dir():
            sock.sendall(_HEAD.pack(_FOLDER, len(name), 0) + name)
            continue
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            sock.sendall(_HEAD.pack(_FILE, len(name), size) + name)
            sock.sendfile(file, count=size) if size else None
    sock.sendall(_HEAD.pack(_END, 0, 0))
    (size,) = _LENGTH.unpack(_received(sock, _LENGTH.size))
    answer = _received(sock, min(size, _MOST_TOLD_BYTES))
    try:
        told = msgspec.msgpack.decode(answer, type=Failure | None)
    except UNREADABLE as error:
        raise ConnectionError(f"what the host answered cannot be read: {error}") from None
    if told is not None:
        raise told.error()


def receive_files(sock: socket.socket, folder: Path, limits: Limits) -> Path:
    """Puts what is sent into ``folder``, and returns where the artifact is.

    Raises TooLarge, BadBody and StorageFull, of which the sender has been told. It still has to
    ``tell_sender`` that all is well.
    """
    sock.settimeout(IDLE_LIMIT_S)
    try:
        with disk_errors("receiving an upload", folder):
            return _Receiver(sock, folder, limits).receive()
    except TfaasError as error:
        tell_sender(sock, Failure.of(error))
        raise


def tell_sender(sock: socket.socket, failure: Failure | None) -> None:
    """Says what is wrong with what was sent, or that all is there."""
    with suppress(OSError):  # it is gone, and hears nothing
        payload = msgspec.msgpack.encode(failure)
        sock.sendall(_LENGTH.pack(len(payload)) + payload)


class _Receiver:
    def __init__(self, sock: socket.socket, folder: Path, limits: Limits) -> None:
        self._sock, self._folder, self._limits = sock, folder, limits
        self._files = self._bytes = 0
        self._artifact: Path | None = None

    def receive(self) -> Path:
        while True:
            kind, path_bytes, size = _HEAD.unpack(self._next(_HEAD.size))
            if kind == _END:
                break
            self._take(kind, self._path(path_bytes), size)
        if self._artifact is None:
            raise BadBody("no file was sent")
        return self._artifact

    def _path(self, size: int) -> Path:
        if not 0 < size <= _MOST_PATH_BYTES:
            raise BadBody(f"a path of {size} bytes was sent")
        path = PurePosixPath(os.fsdecode(self._next(size)))
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in str(path):
            raise BadBody("a path was sent that is not beneath the upload")
        return self._folder / path

    def _take(self, kind: int, path: Path, size: int) -> None:
        self._files += 1
        self._bytes += size
        # One more: the artifact's own folder.
        if self._files > self._limits.max_bundle_files + 1:
            raise TooLarge("the upload has more files than limits.max_bundle_files of its host")
        if self._bytes > self._limits.max_unpacked_bytes:
            raise TooLarge("the upload is larger than limits.max_unpacked_bytes of its host")
        self._artifact = self._artifact or path
        try:
            if kind == _FOLDER:
                path.mkdir(mode=0o700)
            elif kind == _FILE:
                self._write(path, size)
            else:
                raise BadBody(f"what was sent is of the unknown kind {kind}")
        except (FileExistsError, FileNotFoundError, NotADirectoryError):
            raise BadBody("a path was sent twice, or before its folder") from None

    def _write(self, path: Path, left: int) -> None:
        with path.open("xb") as file:
            while left:
                data = self._some(min(left, _CHUNK_BYTES))
                file.write(data)
                left -= len(data)

    def _next(self, size: int) -> bytes:
        try:
            return _received(self._sock, size)
        except OSError as error:
            raise _gone(error) from error

    def _some(self, most: int) -> bytes:
        try:
            data = self._sock.recv(most)
        except OSError as error:
            raise _gone(error) from error
        if not data:
            raise _gone(None)
        return data


def _gone(error: OSError | None) -> BadBody:
    return BadBody(f"the upload ended before all of it was there: {error or 'it was hung up on'}")


def _all_of(artifact: Path) -> Iterator[Path]:
    """Each folder before what is in it."""
    yield artifact
    if artifact.is_dir():
        for each in sorted(artifact.iterdir()):
            yield from _all_of(each)


def _received(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := sock.recv(size - len(data))):
            raise ConnectionError("the other side hung up")
        data += more
    return data
