"""The models in a folder, as the filesystem storage keeps them: read, and remembered."""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tfaas_backends.storages.filesystem.root import lacks
from tfaas_core.errors import DoesNotFit
from tfaas_core.files.regular_file import UnfitFileError, read_regular
from tfaas_core.local_disk.disk import was_made_here
from tfaas_core.models.model import ModelVersion, is_name
from tfaas_core.models.record_text import record_value
from tfaas_core.models.versions import Model, Pointers

RECORD = "version.json"
POINTERS = "pointers.json"

_SETTLED_NS = 2_000_000_000

_OF_NO_MODEL = {errno.ENOENT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""What goes wrong for all of them: the root is away, or this process may open no more files."""

_log = logging.getLogger("tfaas.storage")


class _Known(msgspec.Struct, frozen=True):
    """A model that was read, and the state of its folder at that time."""

    inode: int
    changed_ns: int
    model: Model


class Decided(msgspec.Struct, frozen=True):
    """The content of ``pointers.json``: pointers, and the highest number that there was then.

    Versions of higher numbers came later, and went live one after the other.
    """

    highest: int = 0
    pointers: Pointers = Pointers()


_MOST_BYTES = 64 * 1024 * 1024
"""Of a record, which holds the params of an upload; and of pointers."""


class FilesystemModels:
    """Reads the models below ``root``. Methods raise OSError, unless they say otherwise.

    ``warn`` gets a sentence about each record that cannot be read, once.
    """

    def __init__(self, root: Path, warn: Callable[[str], None] = _log.warning) -> None:
        self._root = root
        self._warn = warn
        self._known: dict[str, _Known] = {}
        self._warned: set[str] = set()

    def all(self) -> list[Model]:
        """All of them, sorted by name; what cannot be read is logged and left out."""
        names = self.names()
        models = [model for name in names if (model := self._listed(name)) is not None]
        known = self._known
        self._known = {name: known[name] for name in names if name in known}
        return models

    def names(self) -> list[str]:
        """The names of all folders that may be models, sorted."""
        with os.scandir(self._root) as entries:
            return sorted(e.name for e in entries if is_name(e.name) and _is_folder(e))

    def numbers(self, name: str) -> list[int]:
        """The numbers that are taken in ``name``, by versions or other folders, in any order."""
        with os.scandir(os.path.join(self._root, name)) as entries:
            return [int(e.name) for e in entries if _is_number(e.name) and _is_folder(e)]

    def stored(self, name: str) -> list[int]:
        """Those that were stored here, broken records included, but no other folders."""
        folder = os.path.join(self._root, name)
        return [n for n in self.numbers(name) if os.path.lexists(f"{folder}/{n}/{RECORD}")]

    def is_all_ours(self, name: str) -> bool:
        """Whether the folder of ``name`` was made here, and nothing in it was not."""
        folder = os.path.join(self._root, name)
        ours = {POINTERS, *map(str, self.stored(name))}
        there = os.listdir(folder)
        return was_made_here(os.stat(folder)) and all(
            each in ours or each.startswith(f"{POINTERS}-") for each in there
        )

    def decided(self, name: str) -> Decided:
        """What was decided of ``name``: nothing, if nobody has."""
        file = self._root / name / POINTERS
        try:
            return record_value(read_regular(file, _MOST_BYTES), Decided)
        except FileNotFoundError:
            return Decided()
        except (msgspec.DecodeError, UnfitFileError) as error:
            self.warn_once(f"{name}/{POINTERS}", f"{file} cannot be read: {_why(error)}")
            return Decided()

    def place(self, name: str, wanted: int, live: bool) -> tuple[int, Decided | None]:
        """The number that a new version gets, and what has to be decided before it is there.

        ``wanted``: a number for it; 0: the next one. What is decided sees to it that the version is
        live then, or not. Raises DoesNotFit if a higher number is there already.
        """
        decided, highest = self.decided(name), max(self.numbers(name), default=0)
        if 0 < wanted <= highest:
            raise DoesNotFit(
                f"model {name!r} has version {highest} already: {wanted} cannot be added",
                model=name,
            )
        number = wanted or max(highest, decided.highest) + 1
        if not live and (model := self.read(name)) is not None:
            return number, Decided(number, model.pointers)
        if decided.highest >= number:
            return number, Decided(number - 1, decided.pointers)
        return number, None

    def beyond(self, name: str, keep: int) -> list[int]:
        """The numbers that were stored before the newest ``keep``, and are not pointed at."""
        model = self.read(name)
        if model is None:
            return []
        whole = [version.version for version in model.versions]
        first = whole[-max(keep, 1) :][0]
        return [n for n in sorted(self.stored(name)) if n < first and n not in model.pointers.kept]

    def model(self, name: str) -> Model | None:
        """The model ``name``, or None; it is read again only if its folder has changed."""
        folder = os.path.join(self._root, name)  # a Path would take longer than all the rest
        while True:
            try:
                status = os.stat(folder)
                if not stat.S_ISDIR(status.st_mode):
                    return None
                known = self._known.get(name)
                if known is not None and _is_unchanged(known, status):
                    return known.model
                model = self.read(name)
            except FileNotFoundError:
                # Either the name has gone, or only a version of it did, for a newer one.
                if lacks(self._root, name):
                    return None
                continue
            if model is not None and _is_settled(status):
                self._known[name] = _Known(status.st_ino, status.st_mtime_ns, model)
            return model

    def holds(self, version: ModelVersion) -> bool:
        """Whether it is there, rather than another one under its number."""
        model = self.model(version.name)
        kept = () if model is None else model.versions
        return (version.key, version.checksum) in [(each.key, each.checksum) for each in kept]

    def read(self, name: str) -> Model | None:
        """The model as it is on the disk; raises FileNotFoundError if that changes meanwhile."""
        records = [self._read(name, number) for number in sorted(self.numbers(name))]
        whole = [record for record in records if record is not None]
        if not whole:
            return None
        decided = self.decided(name)
        pointers = decided.pointers
        for record in whole:
            if record.version > decided.highest:
                pointers = pointers.with_live(record.version)
        return Model.of(whole, pointers)

    def _listed(self, name: str) -> Model | None:
        try:
            return self.model(name)
        except OSError as error:
            if error.errno in _OF_NO_MODEL:
                raise
            self.warn_once(name, f"model {name!r} is left out of the list: {error}")
            return None

    def _read(self, name: str, number: int) -> ModelVersion | None:
        """The record of a folder; None if it is no whole version.

        Raises FileNotFoundError if there is no such folder.
        """
        folder = self._root / name / str(number)
        try:
            record = record_value(read_regular(folder / RECORD, _MOST_BYTES), ModelVersion)
        except FileNotFoundError:
            os.stat(folder)
            return None
        except (msgspec.DecodeError, UnfitFileError) as error:
            self.warn_once(f"{name}/{number}", f"{folder / RECORD} is not a record: {_why(error)}")
            return None
        if (record.name, record.version) != (name, number):
            what = f"version {record.version} of {record.name!r}"
            self.warn_once(f"{name}/{number}", f"{folder / RECORD} is the record of {what}")
            return None
        return record

    def warn_once(self, what: str, message: str) -> None:
        """Warns by ``message``, if nothing was said of ``what`` yet."""
        if what not in self._warned:
            self._warned.add(what)
            self._warn(message)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and text[0] != "0" and len(text) < 19


def _is_unchanged(known: _Known, status: os.stat_result) -> bool:
    return (known.inode, known.changed_ns) == (status.st_ino, status.st_mtime_ns)


def _is_settled(status: os.stat_result) -> bool:
    # Clocks of file systems tick slowly: within a tick, a second change would not show.
    return time.time_ns() - status.st_mtime_ns > _SETTLED_NS
