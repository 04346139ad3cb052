"""Large frames: their values are in memory that both ends share, until nobody has them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.core.engine.shared.test_frames import are_same, frames_of, some, spec
from tfaas_core.engine.shared.frames import (
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    values_of_request,
)
from tfaas_core.engine.shared.slots import (
    HALF_BYTES,
    KEPT_BYTES,
    LEAST_BYTES,
    SharedSlots,
    Slot,
    new_slots,
)
from tfaas_core.levels import ALIGNED_BYTES
from tfaas_core.tensors import Array, TensorSpec

SPECS = [spec("float32"), spec("string"), spec("bool"), spec("float64")]
ROWS = LEAST_BYTES // 4 + 1


class Ends:
    """Both ends of a connection's memory, in this process."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = new_slots() if descriptor is None else descriptor
        self.worker = SharedSlots(os.dup(self.descriptor), is_servable=False)
        self.servable = SharedSlots(os.dup(self.descriptor), is_servable=True)

    def request(self, *parts: list[Array], specs: list[TensorSpec] = SPECS) -> bytes:
        rows = [len(part[0]) for part in parts]
        sent = encode_request(7, 1.5, rows, parts, specs, 2, 3, self.worker.writer)
        (frame,) = frames_of(sent)
        return frame

    def read(self, frame: bytes, specs: list[TensorSpec] = SPECS) -> list[Array]:
        request = decode_request(frame, specs, values_of_request(frame, self.servable.reader))
        assert (request.id, request.any_shape, request.signature) == (7, True, 3)
        return request.inputs

    @property
    def used_bytes(self) -> int:
        return 512 * os.fstat(self.descriptor).st_blocks


@pytest.fixture
def ends() -> Iterator[Ends]:
    both = Ends()
    yield both
    os.close(both.descriptor)


@cache
def part(rows: int, seed: int = 0) -> list[Array]:
    return [some(each.dtype, (rows,), seed + place) for place, each in enumerate(SPECS)]


def test_the_values_of_a_large_frame_are_the_same_and_lie_as_tensorflow_wants_them(
    ends: Ends,
) -> None:
    parts = [part(ROWS), part(3, seed=9)]
    frame = ends.request(*parts)
    texts = sum(len(text) for each in parts for text in each[1])
    assert len(frame) < 3 * ROWS + texts
    for one, two, read in zip(*parts, ends.read(frame), strict=True):
        assert are_same(read, np.concatenate([one, two]))
        if read.dtype != object:
            assert not read.flags.writeable
            assert read.__array_interface__["data"][0] % ALIGNED_BYTES == 0


def test_answers_come_the_same_way(ends: Ends) -> None:
    outputs = part(ROWS)
    sent = encode_answer(8, 2, 3, outputs, SPECS, 0.5, 7, ends.servable.writer)
    (frame,) = frames_of(sent)
    assert len(frame) < 3 * ROWS + sum(map(len, outputs[1]))
    answer = decode_answer(frame, SPECS, ends.worker.reader)
    assert (answer.id, answer.first_part, answer.parts, answer.run_rows) == (8, 2, 3, 7)
    assert all(map(are_same, answer.outputs, outputs))


def test_what_is_not_in_one_piece_is_put_together(ends: Ends) -> None:
    array = np.arange(2.0 * ROWS, dtype=np.float32)[::2]
    (read,) = ends.read(ends.request([array], specs=SPECS[:1]), SPECS[:1])
    assert are_same(read, array)


def test_a_small_frame_has_its_values_itself(ends: Ends) -> None:
    frame = ends.request(part(10))
    assert values_of_request(frame, ends.servable.reader) is None
    assert all(map(are_same, decode_request(frame, SPECS).inputs, part(10)))
    assert not ends.used_bytes


def test_a_slot_is_used_again_once_no_array_of_it_is_left(ends: Ends) -> None:
    """Whatever is left of it, and however long after the answer."""
    array = np.full(HALF_BYTES // 16, 5, np.float32)
    kept = ends.read(ends.request([array], specs=SPECS[:1]), SPECS[:1])[0][3:7]
    with ThreadPoolExecutor(1) as thread:
        for value in range(50):  # of which 4 have room at a time
            sent = ends.request([np.full_like(array, value)], specs=SPECS[:1])
            assert len(sent) < LEAST_BYTES
            (read,) = ends.read(sent, SPECS[:1])
            assert read[0] == read[-1] == value
            dropped = [read]
            del read
            thread.submit(dropped.clear).result()
    assert kept.tolist() == [5] * 4


def test_what_there_is_no_room_for_is_in_the_frame(ends: Ends) -> None:
    array = np.ones(HALF_BYTES // 8, np.float32)
    frames = [ends.request([array], specs=SPECS[:1]) for _ in range(3)]
    assert [len(frame) > array.nbytes for frame in frames] == [False, False, True]
    read = [ends.read(frame, SPECS[:1]) for frame in frames]
    assert all(are_same(found, array) for (found,) in read)
    del read
    assert len(ends.request([array], specs=SPECS[:1])) < LEAST_BYTES


def test_as_many_slots_as_there_may_be_are_chosen_and_come_back(ends: Ends) -> None:
    for _ in range(3):
        taken = [ends.worker.writer.take(LEAST_BYTES) for _ in range(HALF_BYTES // LEAST_BYTES)]
        assert len({slot for slot in taken if slot is not None}) == len(taken)
        assert ends.worker.writer.take(1) is None
        for slot in taken:
            assert slot is not None
            ends.worker.writer.give_back(slot)


def test_a_frame_that_cannot_be_written_leaves_no_slot_taken(ends: Ends) -> None:
    class Broken:
        """As an array that fails amid its copy."""

        nbytes = HALF_BYTES
        shape, dtype, itemsize = (HALF_BYTES,), np.dtype("uint8"), 1
        flags = np.ones(1).flags

    for _ in range(3):
        with pytest.raises((TypeError, ValueError)):
            ends.request([Broken()], specs=[spec("uint8")])  # type: ignore[list-item]
    assert ends.worker.writer.take(HALF_BYTES) is not None


@pytest.mark.parametrize(
    ("begin", "end", "number"),
    [
        (0, 4096, 0),
        (4096, 4096, 0),
        (8192, 4096, 0),
        (4096, 4097 + HALF_BYTES, 0),
        (4096 + HALF_BYTES, 8192 + HALF_BYTES, 0),
        (1 << 63, (1 << 63) + 8, 0),
        (4096, 8192, HALF_BYTES // LEAST_BYTES),
        (4096, 8192, 1 << 31),
    ],
)
def test_what_is_no_slot_is_refused(ends: Ends, begin: int, end: int, number: int) -> None:
    with pytest.raises(ValueError, match="names bytes"):
        ends.servable.reader.opened(Slot(begin, end, number))


def test_values_that_do_not_lie_in_their_slot_are_refused(ends: Ends) -> None:
    frame = bytearray(ends.request([np.ones(ROWS, np.float32)], specs=SPECS[:1]))
    place = frame.index(ROWS.to_bytes(8, "little"))
    frame[place : place + 8] = (1 << 40).to_bytes(8, "little")
    with pytest.raises((ValueError, TypeError)):
        ends.read(bytes(frame), SPECS[:1])


def test_who_shares_no_memory_refuses_what_is_in_a_slot(ends: Ends) -> None:
    frame = ends.request([np.ones(ROWS, np.float32)], specs=SPECS[:1])
    with pytest.raises(ValueError, match="shares no memory"):
        decode_request(frame, SPECS[:1], values_of_request(frame, None))
    sent = encode_answer(8, 0, 1, part(ROWS), SPECS, slots=ends.servable.writer)
    with pytest.raises(ValueError, match="shares no memory"):
        decode_answer(sent[8:], SPECS)


def test_neither_end_can_cut_the_memory_off(ends: Ends) -> None:
    for size in (0, os.fstat(ends.descriptor).st_size + 1):
        with pytest.raises(PermissionError):
            os.ftruncate(ends.descriptor, size)


def test_what_was_used_is_given_back_but_for_a_part(ends: Ends) -> None:
    array = np.ones(HALF_BYTES // 8, np.float32)
    (read,) = ends.read(ends.request([array], specs=SPECS[:1]), SPECS[:1])
    sent = encode_answer(8, 0, 1, [array], SPECS[:1], slots=ends.servable.writer)
    answer = decode_answer(sent[8:], SPECS[:1], ends.worker.reader)
    ends.worker.trim(is_idle=True)
    assert are_same(read, array)
    assert are_same(answer.outputs[0], array)
    del read, answer
    ends.worker.trim(is_idle=True)
    assert ends.used_bytes <= 2 * KEPT_BYTES + 4096
    (read,) = ends.read(ends.request([array], specs=SPECS[:1]), SPECS[:1])
    assert are_same(read, array)


@pytest.fixture
def bare() -> Iterator[Ends]:
    """As ``ends``, in memory that a test may cut off: there, all use of it is SIGBUS."""
    descriptor = os.memfd_create("tfaas-slots")
    os.ftruncate(descriptor, 4096 + 2 * HALF_BYTES)
    both = Ends(descriptor)
    yield both
    os.close(both.descriptor)


def test_pages_that_the_reader_gave_back_are_there_again_before_they_are_written(
    bare: Ends,
) -> None:
    """If there is no memory for them, the values are sent instead."""
    array = np.ones(HALF_BYTES // 8, np.float32)
    for _ in range(2):
        sent = encode_answer(8, 0, 1, [array], SPECS[:1], slots=bare.servable.writer)
        assert len(sent) < LEAST_BYTES
        assert are_same(decode_answer(sent[8:], SPECS[:1], bare.worker.reader).outputs[0], array)
        bare.worker.trim(is_idle=True)
        assert bare.used_bytes <= KEPT_BYTES + 4096
    os.ftruncate(bare.descriptor, os.fstat(bare.descriptor).st_size - HALF_BYTES + KEPT_BYTES)
    sent = encode_answer(8, 0, 1, [array], SPECS[:1], slots=bare.servable.writer)
    assert are_same(decode_answer(sent[8:], SPECS[:1], bare.worker.reader).outputs[0], array)


def test_a_slot_without_memory_is_refused(bare: Ends) -> None:
    """Nobody has written to it: its pages would be made as it is read."""
    os.ftruncate(bare.descriptor, os.fstat(bare.descriptor).st_size - 4096)
    number = 2 * HALF_BYTES // LEAST_BYTES - 1
    with pytest.raises(ValueError, match="no memory"):
        bare.worker.reader.opened(Slot(8192 + HALF_BYTES, 4096 + 2 * HALF_BYTES, number))


def test_marks_without_memory_are_not_used(bare: Ends) -> None:
    os.ftruncate(bare.descriptor, 0)
    assert bare.worker.writer.take(LEAST_BYTES) is None


def held() -> tuple[int, int]:
    """Descriptors of this process, and pieces of memory for slots."""
    maps = Path("/proc/self/maps").read_text()
    return len(os.listdir("/proc/self/fd")), maps.count("tfaas-slots")


def test_hundreds_of_ends_that_are_gone_leave_nothing() -> None:
    """Whatever they held: slots that nobody read, and arrays that are read no more."""

    def life() -> None:
        ends = Ends()
        array = np.ones(ROWS, np.float32)
        ends.request([array], specs=SPECS[:1])
        kept = ends.read(ends.request([array], specs=SPECS[:1]), SPECS[:1])
        os.close(ends.descriptor)
        del ends
        assert are_same(kept[0], array)

    before = held()
    for _ in range(300):
        life()
    descriptors, memories = held()
    assert descriptors <= before[0]
    assert memories <= before[1]
