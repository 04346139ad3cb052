"""Directory: which series are counted, and in which cells, as all HTTP workers agree on it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf

import msgspec

from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.metrics.families import KEPT, Family
from tfaas_plugins.metrics.shared import (
    DIRECTORY_AT,
    DIRECTORY_BYTES,
    LOCK_OF_DIRECTORY,
    MOST_CELLS,
    MOST_MODELS,
    USED,
)

OTHER = "<other>"
"""The label of all that are too many; no model can be called so."""

NOWHERE = 0
"""The first of some cells that nobody reads."""

_FIRST = 64
_PATIENCE_S = 0.005
"""The lock is held for microseconds, unless its process is stopped or does not get a core."""

_PLACES = {family: place for place, family in enumerate(KEPT)}
_MOST_OF_FAMILY = 1 << 15
_RESERVE = 1 << 11
"""Series that are left for those of OTHER."""


class Series(msgspec.Struct, frozen=True, gc=False):
    """``at``: its first cell. A histogram's cells are its buckets, each alone, and its sum."""

    family: Family
    labels: tuple[str, ...]
    at: int


class _Entry(msgspec.Struct, array_like=True):
    place: int
    labels: tuple[str, ...]


class Directory:
    """As this worker knows it; what others have added, it learns by ``read``.

    All methods belong to the event loop.
    """

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory
        self._bytes = memory.bytes
        self._cells: dict[tuple[Family, tuple[str, ...]], int] = {}
        self._models: set[str] = set()
        self._read_bytes = 0
        self.next_cell = _FIRST
        """All cells below are of some series."""
        self.series: list[Series] = []
        """All that there are; those that come are appended."""
        self.of_family: dict[Family, list[Series]] = {family: [] for family in KEPT}
        """The same, of each family."""
        self.read()

    def read(self) -> None:
        """Learns what was added."""
        (used,) = USED.unpack_from(self._bytes)
        while self._read_bytes < used:
            at = DIRECTORY_AT + self._read_bytes
            size = int.from_bytes(self._bytes[at : at + 2], "little")
            entry = msgspec.json.decode(self._bytes[at + 2 : at + 2 + size], type=_Entry)
            self._learn(Series(KEPT[entry.place], entry.labels, self.next_cell))
            self._read_bytes += 2 + size

    def find(self, family: Family, *labels: str) -> int:
        """The first cell of a series, which is made if there is room for it.

        If not, it is that of OTHER, or NOWHERE.
        """
        for candidate in self._candidates(family, labels):
            at = self._cells.get((family, candidate))
            if at is None:
                at = self._add(family, candidate)
            if at is not None:
                return at
        return NOWHERE

    def _candidates(self, family: Family, labels: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """What it may be counted as, from the best on."""
        if not family.has_model or self._has_room_for(labels[0]):
            yield labels
        if family.has_model and len(labels) > 2:
            if self._has_room_for(labels[0]):
                yield (labels[0], OTHER, *labels[2:])
            yield (OTHER, OTHER, *labels[2:])
        elif family.has_model:
            yield (OTHER, *labels[1:])
        if labels:
            yield (OTHER,) * len(labels)

    def _has_room_for(self, model: str) -> bool:
        if model in ("", OTHER) or model in self._models:
            return True
        self.read()
        return model in self._models or len(self._models) < MOST_MODELS

    def _add(self, family: Family, labels: tuple[str, ...]) -> int | None:
        """The first cell of a series that this worker does not know; None: it has no room."""
        with self._locked() as is_ours:
            if not is_ours:
                return None
            self.read()
            at = self._cells.get((family, labels))
            if at is not None or not self._has_room(family, OTHER in labels):
                return at
            entry = msgspec.json.encode(_Entry(_PLACES[family], labels))
            end = self._read_bytes + 2 + len(entry)
            if end > DIRECTORY_BYTES:
                return None
            begin = DIRECTORY_AT + self._read_bytes
            self._bytes[begin : DIRECTORY_AT + end] = len(entry).to_bytes(2, "little") + entry
            # Last: a process that is killed before has added nothing.
            USED.pack_into(self._bytes, 0, end)
            self.read()
            return self._cells[family, labels]

    def _has_room(self, family: Family, is_other: bool) -> bool:
        reserve = 0 if is_other else _RESERVE
        return (
            len(self.of_family[family]) < _MOST_OF_FAMILY - reserve
            and self.next_cell + family.cells < MOST_CELLS - reserve
        )

    def _learn(self, series: Series) -> None:
        self._cells[series.family, series.labels] = series.at
        self.series.append(series)
        self.of_family[series.family].append(series)
        self.next_cell += series.family.cells
        if series.family.has_model and series.labels[0] not in ("", OTHER):
            self._models.add(series.labels[0])

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Keeps other workers out; False if one of them does not let go."""
        until_s = time.monotonic() + _PATIENCE_S
        while not try_lock(self._memory.descriptor, LOCK_OF_DIRECTORY):
            if time.monotonic() > until_s:
                yield False
                return
            os.sched_yield()
        try:
            yield True
        finally:
            lockf(self._memory.descriptor, LOCK_UN, 1, LOCK_OF_DIRECTORY)


def try_lock(descriptor: int, place: int) -> bool:
    """Takes one of the memory's locks, which ends with this process, if nobody else has it."""
    try:
        lockf(descriptor, LOCK_EX | LOCK_NB, 1, place)
    except (BlockingIOError, PermissionError):
        return False
    return True
