"""The files of a version: which number it has, which of them is the model, whether it is whole."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tfaas_core.models.versions import MAX_NUMBER

GRAPH = "model.graphdef"
_FOLDER = "model.savedmodel"
_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")

_SETTLED_S = 2.0
"""A version of which nothing has changed for so long is no longer being copied."""


class State(msgspec.Struct, frozen=True):
    """How the files of a version are: their ``fingerprint``, and when the last was changed."""

    fingerprint: str
    changed_s: float
    written: str

    @property
    def is_settled(self) -> bool:
        """Whether nobody seems to be writing there."""
        return time.time() - self.changed_s > _SETTLED_S


def numbers(base: Path) -> list[int]:
    """The versions in a model's folder, the newest first; none if it is missing."""
    try:
        with os.scandir(base) as entries:
            found = {int(e.name) for e in entries if _is_number(e.name) and e.is_dir()}
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted((number for number in found if 0 < number <= MAX_NUMBER), reverse=True)


def folder_of(base: Path, number: int) -> Path:
    """The folder of a version, which may begin with zeros: ``7`` before ``007``.

    If there is none, it is the one that it would have. Raises OSError.
    """
    plain = base / str(number)
    if plain.is_dir() or not base.is_dir():
        return plain
    padded = [n for n in os.listdir(base) if _is_number(n) and int(n) == number]
    return base / min(padded, default=plain.name)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def artifact_in(version: Path) -> Path | None:
    """The model's file or folder in that of a version; None if there is none yet."""
    for folder in (version, version / _FOLDER):
        if any((folder / name).is_file() for name in _SAVED_MODEL):
            return folder
    return version / GRAPH if (version / GRAPH).is_file() else None


def state_of(version: Path) -> State:
    """How the files are now. Raises OSError, also if one vanishes meanwhile."""
    lines, changed_s, written_s = [], 0.0, 0.0
    for path in sorted(_walk(version)):
        status = os.stat(path)
        changed_s = max(changed_s, status.st_ctime, status.st_mtime)
        if not path.is_dir():
            written_s = max(written_s, status.st_mtime)
            lines.append(f"{path} {status.st_size} {status.st_mtime_ns}\n")
    fingerprint = hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()
    written = datetime.fromtimestamp(written_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")
    return State(fingerprint, changed_s, written)


def _walk(folder: Path) -> Iterator[Path]:
    yield folder
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        else:
            yield Path(entry.path)
