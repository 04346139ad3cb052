"""Slots: places in memory that the two ends of a connection share, for the values of large frames.

A frame with large tensors says in which slot their values are, so that these are written once, and
read where they are: TensorFlow takes them as they lie there. Each direction has a half of the
memory, with one writer. The writer chooses a slot; the reader marks it as read once nobody has an
array of it any more, which may be long after the answer: a variable of a model may be what it was
fed. A byte each for the marks, at the beginning, is all that both write to, and one for each half,
by which the writer learns that the reader has given pages back.

Nobody is harmed by what the other end writes there. The memory has a fixed size, so that it cannot
be cut off under whoever reads it; slots are checked against that. Values may change while they are
read, as if other ones had been sent; what would not bear that, strings, comes in the frame itself.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import weakref
from bisect import insort
from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import msgspec
import numpy as np

from tfaas_core.system.resources.pages import PAGE_BYTES, are_there
from tfaas_core.tensors import Array

LEAST_BYTES = 1 << 16
"""Of a frame's numbers: fewer are sent in the frame itself."""

HALF_BYTES = 32 << 20
"""What the slots of one direction hold together. What finds no room is sent in the frame."""

KEPT_BYTES = 4 << 20
"""Of each half that was written to; the pages of the rest are given back after a while."""

_MOST_SLOTS = HALF_BYTES // LEAST_BYTES
_FREE, _TAKEN = 0, 1
_KEPT_ALL, _GAVE_BACK = 0, 1
_GIVEN_AT = 2 * _MOST_SLOTS
"""Behind the marks: what the reader of each half has done with its pages."""

_BASE = -(-(_GIVEN_AT + 2) // PAGE_BYTES) * PAGE_BYTES
_TO_SERVABLE, _TO_WORKER = 0, 1


class NoSlot(Exception):
    """There is no room now, and there will be once others have been read."""


class Slot(msgspec.Struct, frozen=True, order=True):
    """Bytes ``begin`` to ``end`` of the memory; ``number`` is that of its mark."""

    begin: int
    end: int
    number: int


class SlotWriter:
    """Chooses slots in one half. One thread at a time may use it."""

    def __init__(self, memory: mmap.mmap, half: int) -> None:
        self._memory = memory
        self._first_mark = half * _MOST_SLOTS
        self._given = _GIVEN_AT + half
        self._begin = self._touched = _BASE + half * HALF_BYTES
        self._end = self._begin + HALF_BYTES
        self._taken: list[Slot] = []
        self._free = [self._first_mark + number for number in range(_MOST_SLOTS)]

    def take(self, size: int) -> Slot | None:
        """A slot of so many bytes, the first there is room for; None: there is none."""
        self._take_back()
        size += -size % PAGE_BYTES
        begin = self._begin
        for slot in self._taken:
            if slot.begin - begin >= size:
                break
            begin = slot.end
        if not self._free or begin + size > self._end or not self._is_there(begin + size):
            return None
        slot = Slot(begin, begin + size, self._free.pop())
        self._memory[slot.number] = _TAKEN
        insort(self._taken, slot)
        self._touched = max(self._touched, slot.end)
        return slot

    def write(self, at: int, array: Array) -> int:
        """Copies the values of an array to place ``at``; gives where they end."""
        target = np.ndarray(array.shape, array.dtype, self._memory, at)
        np.copyto(target, array)
        return at + array.nbytes

    def give_back(self, slot: Slot) -> None:
        """Of a slot that no frame was sent of."""
        self._memory[slot.number] = _FREE

    def trim(self) -> None:
        """Gives back pages behind all slots that are taken, but those that are kept."""
        self._take_back()
        begin = max(self._begin + KEPT_BYTES, self._taken[-1].end if self._taken else 0)
        if begin < self._touched:
            self._memory.madvise(mmap.MADV_REMOVE, begin, self._touched - begin)
            self._touched = begin

    def _is_there(self, end: int) -> bool:
        """Whether there is memory as far as ``end``."""
        if self._touched == self._begin and not are_there(self._memory, 0, _BASE, to_write=True):
            return False
        if self._memory[self._given] == _GAVE_BACK:
            self._memory[self._given] = _KEPT_ALL
            self._touched = min(self._touched, self._begin + KEPT_BYTES)
        return are_there(self._memory, self._touched, end, to_write=True)

    def _take_back(self) -> None:
        """What was read."""
        # A mark may change at any time: each is looked at once.
        if read := {slot for slot in self._taken if self._memory[slot.number] == _FREE}:
            self._taken = [slot for slot in self._taken if slot not in read]
            self._free += [slot.number for slot in read]


class SlotReader:
    """Opens slots in the other half. What it gives may be dropped in any thread."""

    def __init__(self, memory: mmap.mmap, half: int) -> None:
        self._memory = memory
        self._marks = range(half * _MOST_SLOTS, (half + 1) * _MOST_SLOTS)
        self._given = _GIVEN_AT + half
        self._begin = _BASE + half * HALF_BYTES
        self._end = self._begin + HALF_BYTES
        self._open: dict[int, weakref.ref[Array]] = {}
        self._touched = self._begin

    def opened(self, slot: Slot) -> Array:
        """uint8 [bytes], read-only: the slot is marked as read once no array of it is left.

        Raises ValueError if it is none, or has no memory.
        """
        begin, end, mark = slot.begin, slot.end, slot.number
        if mark not in self._marks or not self._begin <= begin < end <= self._end:
            raise ValueError(f"a frame names bytes {begin} to {end} of shared memory as a slot")
        if not are_there(self._memory, self._touched, end, to_write=False):
            raise ValueError(f"there is no memory behind bytes {begin} to {end} of a slot")
        values = np.frombuffer(self._memory, np.uint8, end - begin, begin)
        values.flags.writeable = False
        # Without this object: it, and the memory's descriptor, are to go with the connection.
        self._open[mark] = weakref.ref(values, partial(_is_read, mark, self._memory, self._open))
        # Whoever lies may name an end within a page.
        self._touched = max(self._touched, end - end % PAGE_BYTES)
        return values

    def trim(self) -> None:
        """Gives back pages, but those that are kept, unless an array is left.

        The writer must not be writing: it has nothing to answer, say.
        """
        begin = self._begin + KEPT_BYTES
        if begin < self._touched and not self._open:
            # Otherwise the writer would be killed if there is no memory for them by then.
            self._memory[self._given] = _GAVE_BACK
            self._memory.madvise(mmap.MADV_REMOVE, begin, self._touched - begin)
            self._touched = begin


def _is_read(
    mark: int, memory: mmap.mmap, still_open: dict[int, Any], _values: weakref.ref[Array]
) -> None:
    still_open.pop(mark, None)
    memory[mark] = _FREE


class SharedSlots:
    """One end of a connection's shared memory: ``writer`` for what it sends, and ``reader``."""

    def __init__(self, descriptor: int, is_servable: bool) -> None:
        """Takes over the descriptor. ``is_servable``: whether this is the servable's end.

        Raises OSError and ValueError if there can be none.
        """
        try:
            # It goes with the last array of it.
            memory = mmap.mmap(descriptor, _BASE + 2 * HALF_BYTES)
        finally:
            os.close(descriptor)
        ours, theirs = (_TO_WORKER, _TO_SERVABLE) if is_servable else (_TO_SERVABLE, _TO_WORKER)
        self.writer = SlotWriter(memory, ours)
        self.reader = SlotReader(memory, theirs)

    @classmethod
    def of(cls, descriptors: Sequence[int], is_servable: bool) -> Self | None:
        """Of the one descriptor that there may be; None if there is none, or no memory to share."""
        try:
            return cls(descriptors[0], is_servable) if descriptors else None
        except (OSError, ValueError):  # what is large is sent then
            return None

    def trim(self, is_idle: bool) -> None:
        """Gives back what was used of the memory, but for a part that is kept.

        ``is_idle``: whether the other end writes nothing now, since it has nothing to answer.
        """
        self.writer.trim()
        if is_idle:
            self.reader.trim()


def ends_of(slots: SharedSlots | None) -> tuple[SlotWriter | None, SlotReader | None]:
    """Its writer and its reader, if there is any."""
    return (None, None) if slots is None else (slots.writer, slots.reader)


def new_slots() -> int:
    """The descriptor of new memory for a connection, none of which is used yet. Raises OSError."""
    descriptor = os.memfd_create("tfaas-slots", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, _BASE + 2 * HALF_BYTES)
        # Whoever read what another process has cut off would be killed by SIGBUS.
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
