"""Bundle: a tarball that holds a model, unpacked with care, and packed.

Whoever made the tarball may be an enemy: members are read one by one, only regular files and
folders are taken, nothing leaves the target folder, and bytes, files, and what they were
compressed from are counted.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias, cast

import msgspec

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.files.archives import GZIP, TAR, archive_at
from tfaas_core.settings.tables import Limits

_CHUNK_BYTES = 1 << 20
_MAX_READ_BYTES = 4 << 20
_MEMBERS_HEADERS_BYTES = 16 << 10
_MAX_RATIO = 200
_RATIO_COUNTS_FROM_BYTES = 64 << 20
_PACKING_LEVEL = 1
_MAX_PATH_BYTES = 1024
_MAX_PATH_PART_BYTES = 255


HasRoom: TypeAlias = Callable[[int], object]
"""Called with how many bytes there will be in all, before they are written; raises StorageFull."""

BUNDLES = (GZIP, TAR)
"""The archives that a bundle may be."""


class BundleLimits(msgspec.Struct, frozen=True):
    """``[limits]``: what a bundle may hold once it is unpacked."""

    max_unpacked_bytes: int
    max_bundle_files: int

    @classmethod
    def of(cls, limits: Limits) -> BundleLimits:
        """As ``[limits]`` says."""
        return cls(limits.max_unpacked_bytes, limits.max_bundle_files)

    def most_read_bytes(self, packed_bytes: int) -> int:
        """Where a tarball that may be unpacked ends at the latest, headers and padding included."""
        unpacked_bytes = min(self.max_unpacked_bytes, _most_unpacked_bytes(packed_bytes))
        return unpacked_bytes + (self.max_bundle_files + 1) * _MEMBERS_HEADERS_BYTES


def _most_unpacked_bytes(packed_bytes: int) -> int:
    """Beyond it, it is no model but a decompression bomb."""
    return max(_RATIO_COUNTS_FROM_BYTES, _MAX_RATIO * packed_bytes)


def is_bundle(path: Path) -> bool:
    """Whether a file is a tarball, plain or gzipped, told by its first bytes."""
    return archive_at(path) in BUNDLES


def unpack(
    tarball: Path,
    folder: Path,
    limits: BundleLimits,
    has_room: HasRoom = lambda _size_bytes: None,
) -> None:
    """Unpacks ``tarball`` into the new ``folder``, as far as it ``has_room``.

    Blocks; what it leaves behind when it raises is the caller's to remove. Raises BadBody for what
    is no tarball or holds what it must not, TooLarge beyond ``limits``, and OSError as it comes.
    """
    folder.mkdir(mode=0o700)
    packed_bytes = tarball.stat().st_size
    with _reading(tarball, limits.most_read_bytes(packed_bytes)) as archive:
        unpacker = _Unpacker(folder, limits, packed_bytes, has_room)
        for member in archive:
            unpacker.take(archive, member)


@contextmanager
def _reading(tarball: Path, most_bytes: int) -> Iterator[tarfile.TarFile]:
    try:
        with tarball.open("rb") as file:
            is_gzipped = file.read(len(GZIP.magic)) == GZIP.magic
            file.seek(0)
            plain = gzip.GzipFile(fileobj=file) if is_gzipped else file
            bounded = _Bounded(cast(IO[bytes], plain), most_bytes)
            with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r:") as archive:
                yield archive
            # gzip's checksum comes last, and is compared only once it is reached.
            plain.read(_MAX_READ_BYTES)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadBody(f"the bundle is not a tarball that can be read: {error}") from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise BadBody(f"the bundle has a broken header: {error}") from None


class _Bounded:
    """A file that refuses what headers may lead to, since tarfile does whatever they say.

    It reads extended headers of any size whole, and goes on wherever a size leads, even if a global
    header told another size for the member.
    """

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        self._file = file
        self._most_bytes = most_bytes
        self.tell = file.tell

    def seek(self, offset: int) -> int:
        if not 0 <= offset <= self._most_bytes:
            raise BadBody("the bundle has a header with a size that cannot be")
        return self._file.seek(offset)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_READ_BYTES:
            raise BadBody("the bundle has a header that is too large")
        return self._file.read(size)


class _Unpacker:
    def __init__(
        self, folder: Path, limits: BundleLimits, packed_bytes: int, has_room: HasRoom
    ) -> None:
        self._folder = folder
        self._has_room = has_room
        self._limits = limits
        self._packed_bytes = packed_bytes
        self._files = 0
        self._bytes = 0

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = _safe_path(member)
        self._count(member.size)
        if path is None or _is_clutter(path):
            return
        target = self._folder / path
        folder = target if member.isdir() else target.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not member.isdir():
                _copy(archive, member, target)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise BadBody(f"the bundle holds {member.name[:200]!r} twice") from None

    def _count(self, size: int) -> None:
        limits = self._limits
        if size < 0:
            raise BadBody("the bundle has a header with a size that cannot be")
        self._files += 1
        self._bytes += size
        if self._files > limits.max_bundle_files:
            raise TooLarge(
                f"the bundle holds more than {limits.max_bundle_files} files and folders "
                "(limits.max_bundle_files)",
                expected=limits.max_bundle_files,
            )
        if self._bytes > limits.max_unpacked_bytes:
            raise TooLarge(
                f"the bundle unpacks to more than {limits.max_unpacked_bytes} bytes "
                "(limits.max_unpacked_bytes)",
                expected=limits.max_unpacked_bytes,
            )
        if self._bytes > _most_unpacked_bytes(self._packed_bytes):
            raise TooLarge(
                f"the bundle unpacks to more than {_MAX_RATIO} times its size: "
                "that is no model but a decompression bomb",
                expected=_MAX_RATIO,
            )
        self._has_room(self._bytes)


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = archive.extractfile(member)
    assert source is not None
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    left = member.size
    with os.fdopen(descriptor, "wb") as file:
        while left:
            chunk = source.read(min(left, _CHUNK_BYTES))
            if not chunk:
                raise BadBody(f"the bundle ends in the middle of {member.name[:200]!r}")
            file.write(chunk)
            left -= len(chunk)


def _safe_path(member: tarfile.TarInfo) -> PurePosixPath | None:
    """Where a member belongs below the target folder; None for that folder itself."""
    name = member.name
    shown = f"{name[:200]!r}"
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.sparse:
        raise BadBody(f"the bundle holds {shown}, which is neither a regular file nor a folder")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BadBody(f"the bundle holds {shown}, which leads out of its folder")
    if not name.isprintable() or "\\" in name or _is_too_long(path):
        raise BadBody(f"the bundle holds {shown}, which is no usable path")
    return path if path.parts else None


def _is_too_long(path: PurePosixPath) -> bool:
    parts = [len(part.encode()) for part in path.parts]
    return sum(parts) + len(parts) > _MAX_PATH_BYTES or max(parts, default=0) > _MAX_PATH_PART_BYTES


def _is_clutter(path: PurePosixPath) -> bool:
    """What macOS puts into tarballs beside what it was asked to."""
    return path.name.startswith("._") or path.name == ".DS_Store" or "__MACOSX" in path.parts


def is_file_name(name: str) -> bool:
    """Whether ``unpack`` takes a file of this name right at the top of a bundle."""
    if not name.isprintable() or "\\" in name or name == "..":
        return False
    path = PurePosixPath(name)
    return path.parts == (name,) and name != "/" and not (_is_too_long(path) or _is_clutter(path))


class Entry(msgspec.Struct, frozen=True):
    """A file of a bundle to be packed: its path inside, and its content, here or on the disk."""

    name: str
    content: bytes | Path


def pack(
    entries: Iterable[Entry], advance: Callable[[int], object] = lambda size: None
) -> Generator[bytes]:
    """A gzipped tarball of ``entries``, in pieces, made as they are asked for. Each step blocks.

    ``advance`` is called with the size of each piece that was read.
    """
    packer = zlib.compressobj(_PACKING_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for entry in entries:
        info = tarfile.TarInfo(entry.name)
        content = entry.content
        info.size = len(content) if isinstance(content, bytes) else content.stat().st_size
        info.mode = 0o644
        yield packer.compress(info.tobuf(tarfile.PAX_FORMAT))
        for chunk in _chunks(content):
            advance(len(chunk))
            yield packer.compress(chunk)
        yield packer.compress(bytes(-info.size % tarfile.BLOCKSIZE))
    yield packer.compress(bytes(2 * tarfile.BLOCKSIZE)) + packer.flush()


def _chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
