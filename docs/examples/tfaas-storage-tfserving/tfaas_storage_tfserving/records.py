"""Records: what was found out about each version, in a folder of our own, since it costs a load."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from tfaas_core.models.model import ModelVersion


class Finding(msgspec.Struct, frozen=True):
    """What came of reading a version.

    ``fingerprint`` is how its files were, and what the configuration said of it. ``record`` is None
    if it cannot be served: then ``reason`` is a sentence that says why. ``again``: that may have
    been bad luck.
    """

    fingerprint: str
    record: ModelVersion | None = None
    reason: str = ""
    again: bool = False


class Records:
    """The findings in the folder ``root``, which the processes of a server share.

    Methods raise OSError as it comes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[Path, tuple[tuple[int, int], Finding | None]] = {}

    def open(self) -> None:
        """Makes the folder if it is missing."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def state(self, name: str, version: Path) -> tuple[int, int] | None:
        """Differs after each finding about this version; None if there is none."""
        return _state(self._file(name, version))

    def get(self, name: str, version: Path) -> Finding | None:
        """What was found out about a version of model ``name``; None if nobody has read it."""
        file = self._file(name, version)
        state = _state(file)
        if state is None:
            self._known.pop(file, None)
            return None
        known = self._known.get(file)
        if known is None or known[0] != state:
            known = self._known[file] = state, _decoded(file)
        return known[1]

    def put(self, name: str, version: Path, finding: Finding) -> None:
        """Stores a finding in the place of the one before."""
        file = self._file(name, version)
        new = file.with_suffix(f".{os.getpid()}")
        new.write_bytes(msgspec.json.encode(finding))
        os.replace(new, file)

    def drop(self, name: str, version: Path) -> None:
        """Forgets a version."""
        self._file(name, version).unlink(missing_ok=True)

    def _file(self, name: str, version: Path) -> Path:
        # Several models may have the same folder.
        key = hashlib.sha256(os.fsencode(f"{name} {version}")).hexdigest()
        return self.root / f"{key[:32]}.json"


def _decoded(file: Path) -> Finding | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Finding)
    except (FileNotFoundError, msgspec.DecodeError):
        return None  # it is found out again


def _state(file: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(file)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
