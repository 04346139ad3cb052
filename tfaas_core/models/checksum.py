"""Checksum: what an artifact's bytes are, in one line."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path

from tfaas_core.files.regular_file import UnfitFileError, open_regular

PREFIX = "sha256:"

_LARGE_BYTES = 64 << 20
"""To read as much takes some 40 ms."""

_SETTLED_S = 2.0
_MOST_FOUND = 1000

_State = list[tuple[int, int, int, int]]

_found_whole: dict[Path, tuple[str, _State]] = {}


def file_sha256(path: Path) -> str:
    """SHA-256 of a regular file, in hex."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def artifact_checksum(artifact: Path) -> str:
    """The checksum of a model's file or folder, as a ModelVersion has it. Blocks."""
    if not artifact.is_dir():
        return f"{PREFIX}{file_sha256(artifact)}"
    files = (path for path in artifact.rglob("*") if path.is_file())
    return folder_checksum({str(path.relative_to(artifact)): file_sha256(path) for path in files})


def is_whole(artifact: Path, checksum: str) -> bool:
    """Whether an artifact has this checksum. Blocks.

    Of one that is being removed or replaced, or is a pipe, no; if ``checksum`` is of another kind,
    yes. A large one that this process found whole is not read again while its files stay as they
    are, by their inodes, sizes and times.
    """
    if not checksum.startswith(PREFIX):
        return True
    try:
        state = _state(artifact)
        if state is not None and _found_whole.get(artifact) == (checksum, state):
            return True
        whole = artifact_checksum(artifact) == checksum
    except (FileNotFoundError, NotADirectoryError, UnfitFileError):
        return False
    if whole and state is not None:
        _remember(artifact, (checksum, state))
    return whole


def _state(artifact: Path) -> _State | None:
    """What changes if a file of a large artifact does; None if it is small, or was just written."""
    paths = [artifact] if artifact.is_file() else sorted(artifact.rglob("*"))
    found = [path.stat() for path in paths]
    if sum(one.st_size for one in found) < _LARGE_BYTES:
        return None
    # What is written in the same tick of the file system's clock would not be seen.
    if max(one.st_ctime for one in found) > time.time() - _SETTLED_S:
        return None
    return [(one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in found]


def _remember(artifact: Path, known: tuple[str, _State]) -> None:
    if len(_found_whole) >= _MOST_FOUND:
        _found_whole.clear()
    _found_whole[artifact] = known


def folder_checksum(sums: Mapping[str, str]) -> str:
    """The checksum of a folder whose files have these SHA-256 sums, by relative path.

    It is SHA-256 of the lines ``SHA-256  path``, sorted by path.
    """
    # As paths sort, part by part: "a/b" comes before "a.b".
    paths = sorted(sums, key=lambda path: Path(path).parts)
    lines = "".join(f"{sums[path]}  {path}\n" for path in paths)
    return f"{PREFIX}{hashlib.sha256(lines.encode()).hexdigest()}"
