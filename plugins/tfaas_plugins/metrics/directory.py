"""Directory: which series are counted, and in which cells, as all HTTP workers agree on it."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from typing import TypeAlias

import msgspec

from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.metrics.cells import AllCells
from tfaas_plugins.metrics.families import KEPT, Family
from tfaas_plugins.metrics.series import Series
from tfaas_plugins.metrics.shared import (
    DIRECTORY_AT,
    DIRECTORY_BYTES,
    LOCK_OF_DIRECTORY,
    MOST_MODELS,
    SERIES_CELLS,
    STATE_BYTES,
    USED_BITS,
)

OTHER = "<other>"
"""The label of all that are too many; no model can be called so."""

NOWHERE = 0
"""The first of some cells that nobody reads."""

_FIRST = 64
_PATIENCE_S = 0.005
"""The lock is held for microseconds, unless its process is stopped or does not get a core."""

_KINDS = [(family, family.cells) for family in KEPT]
_OF_MODELS = frozenset(family for family in KEPT if family.has_model)
_PLACES = {family: place for place, family in enumerate(KEPT)}
_MOST_OF_FAMILY = 1 << 15
_RESERVE = 1 << 11
"""Series that are left for those of OTHER."""

_REST_S = 120.0
"""Cells that were given back are used again only once nobody counts in them, and nobody remembers
what was in there, such as the figures of the last minute."""

_SIZE_BYTES = 4

_Entry: TypeAlias = tuple[int, tuple[str, ...], int, float]
"""The place of its family, its labels, and its first cell, of a series; or, if the last is not 0,
the time when these cells were given back, and the labels are none."""

_DECODER = msgspec.json.Decoder(list[_Entry])


class Directory:
    """As this worker knows it; what others have added, it learns by ``read``.

    It is in one of two halves of the memory, and grows there. If series are given back, those that
    stay are written into the other half, with the cells that they have: the next generation. All
    methods belong to the event loop.
    """

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory
        self._bytes = memory.bytes
        self._state = memoryview(memory.bytes)[:STATE_BYTES].cast("Q")
        self._all_cells = AllCells(memory)
        self._forget(0)
        self.read()

    def _forget(self, generation: int) -> None:
        self.generation = generation
        """The one that is known."""
        self._read_bytes = 0
        self._cells: dict[tuple[Family, tuple[str, ...]], int] = {}
        self._free: dict[Family, dict[int, float]] = {family: {} for family in KEPT}
        self.models: set[str] = set()
        """Those that have series of their own."""
        self.next_cell = _FIRST
        """All cells below are of some series, or were given back."""
        self.series: list[Series] = []
        """All that there are; those that come are appended. Another list in each generation."""
        self.of_family: dict[Family, list[Series]] = {family: [] for family in KEPT}
        """The same, of each family."""

    @property
    def newest(self) -> int:
        """The generation that there is, which may be newer than the one that is known."""
        return self._state[0] >> USED_BITS

    def read(self) -> None:
        """Learns what was added, or given back."""
        while self._reads(self._state[0]):
            pass

    def _reads(self, state: int) -> bool:
        """Whether there was anything to learn in ``state``."""
        generation, used = state >> USED_BITS, state & (1 << USED_BITS) - 1
        if generation != self.generation:
            self._forget(generation)
        if self._read_bytes == used:
            return False
        before, half = self._read_bytes, self._half()
        block = self._bytes[half + before : half + used]
        if self.newest != generation:
            return True
        self._read_bytes = used
        end = 0
        while end < used - before:
            begin = end + _SIZE_BYTES
            end = begin + int.from_bytes(block[end:begin], "little")
            self._learn(_DECODER.decode(block[begin:end]))
        return True

    def _half(self) -> int:
        return DIRECTORY_AT + self.generation % 2 * DIRECTORY_BYTES

    def give_back(self, models: Collection[str]) -> bool:
        """Takes the series of ``models`` out, so that their places are for others, after a while.

        False if that has to be tried again, since another worker adds something.
        """
        self.read()
        known = self._state[0]
        gone = [each for each in self.series if each.family.has_model and each.labels[0] in models]
        if not gone:
            return True
        now_s, ats = time.monotonic(), {each.at for each in gone}
        entries = [_entry(each) for each in self.series if each.at not in ats]
        for family, free in self._free.items():
            entries += [(_PLACES[family], (), at, freed_s) for at, freed_s in free.items()]
        entries += [(_PLACES[each.family], (), each.at, now_s) for each in gone]
        block = _block(entries)
        with self._locked() as is_ours:
            if not is_ours or self._state[0] != known or len(block) > DIRECTORY_BYTES:
                return False
            begin = DIRECTORY_AT + (self.generation + 1) % 2 * DIRECTORY_BYTES
            self._bytes[begin : begin + len(block)] = block
            # Last: a process that is killed before has changed nothing.
            self._state[0] = (self.generation + 1) << USED_BITS | len(block)
        self._drop(gone, now_s, len(block))
        self._all_cells.clear(gone)
        return True

    def _drop(self, gone: list[Series], now_s: float, read_bytes: int) -> None:
        """As reading the next generation would, in less time."""
        self.generation, self._read_bytes = self.generation + 1, read_bytes
        ats = {each.at for each in gone}
        self.series = [each for each in self.series if each.at not in ats]
        for family, series in self.of_family.items():
            self.of_family[family] = [each for each in series if each.at not in ats]
        for each in gone:
            del self._cells[each.family, each.labels]
            self._free[each.family][each.at] = now_s
            self.models.discard(each.labels[0])

    def find(self, family: Family, *labels: str) -> int:
        """The first cell of a series, which is made if there is room for it.

        If not, it is that of OTHER, or NOWHERE.
        """
        if self.newest != self.generation:
            self.read()
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
        if model in ("", OTHER) or model in self.models:
            return True
        self.read()
        return model in self.models or len(self.models) < MOST_MODELS

    def _add(self, family: Family, labels: tuple[str, ...]) -> int | None:
        """The first cell of a series that this worker does not know; None: it has no room."""
        with self._locked() as is_ours:
            if not is_ours:
                return None
            self.read()
            at = self._cells.get((family, labels))
            if at is not None or not self._has_room(family, OTHER in labels):
                return at
            series = Series(family, labels, self._place_for(family))
            block = _block([_entry(series)])
            used = self._read_bytes + len(block)
            if used > DIRECTORY_BYTES:
                return None
            if series.at < self.next_cell:
                # Somebody may have counted in there after it was given back.
                self._all_cells.clear([series])
            begin = self._half() + self._read_bytes
            self._bytes[begin : begin + len(block)] = block
            # Last: a process that is killed before has added nothing.
            self._state[0] = self.generation << USED_BITS | used
            self.read()
            return series.at

    def _place_for(self, family: Family) -> int:
        """Cells that have rested, or else new ones."""
        for at, freed_s in self._free[family].items():
            # The first was given back first.
            return at if time.monotonic() - freed_s > _REST_S else self.next_cell
        return self.next_cell

    def _has_room(self, family: Family, is_other: bool) -> bool:
        reserve = 0 if is_other else _RESERVE
        if len(self.of_family[family]) >= _MOST_OF_FAMILY - reserve:
            return False
        at = self._place_for(family)
        return at < self.next_cell or at + family.cells < SERIES_CELLS - reserve

    def _learn(self, entries: list[_Entry]) -> None:
        """Of a whole generation there are tens of thousands, and all requests wait."""
        cells, of_family, models = self._cells, self.of_family, self.models
        for place, labels, at, freed_s in entries:
            family, size = _KINDS[place]
            self.next_cell = max(self.next_cell, at + size)
            if freed_s:
                self._free[family][at] = freed_s
                continue
            if self._free[family]:
                self._free[family].pop(at, None)
            series = Series(family, labels, at)
            cells[family, labels] = at
            self.series.append(series)
            of_family[family].append(series)
            if family in _OF_MODELS:
                models.add(labels[0])
        models -= {"", OTHER}

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


def _entry(series: Series) -> _Entry:
    return _PLACES[series.family], series.labels, series.at, 0.0


def _block(entries: list[_Entry]) -> bytes:
    written = msgspec.json.encode(entries)
    return len(written).to_bytes(_SIZE_BYTES, "little") + written


def try_lock(descriptor: int, place: int) -> bool:
    """Takes one of the memory's locks, which ends with this process, if nobody else has it."""
    try:
        lockf(descriptor, LOCK_EX | LOCK_NB, 1, place)
    except (BlockingIOError, PermissionError):
        return False
    return True
