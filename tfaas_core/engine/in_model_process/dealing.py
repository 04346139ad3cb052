"""Dealing out: frames to runs, and the outputs of a run as answers to the frames that shared it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tfaas_core.engine.shared.frames import RequestFrame, drop_answer, encode_answer
from tfaas_core.engine.shared.outputs import Specs, rows_between
from tfaas_core.engine.shared.slots import SlotWriter
from tfaas_core.tensors import Array

_LONG_BYTES = 1 << 20
"""Of the outputs of one frame: longer ones are an answer for each part, which comes, counts and
goes by itself."""


def cut_frame(frame: RequestFrame, most: int) -> list[RequestFrame]:
    """Frames of ``most`` rows each, but for parts that have more by themselves."""
    found: list[RequestFrame] = []
    start = end = first = 0
    for part, rows in enumerate([*frame.part_rows, most + 1]):
        if part > first and end + rows - start > most:
            found.append(_some_of(frame, first, part, start, end))
            start, first = end, part
        end += rows
    return found


def _some_of(frame: RequestFrame, first: int, part: int, start: int, end: int) -> RequestFrame:
    return msgspec.structs.replace(
        frame,
        part_rows=frame.part_rows[first:part],
        rows=end - start,
        inputs=[array[start:end] for array in frame.inputs],
        first_part=frame.first_part + first,
    )


def dealt_out(
    frames: Sequence[RequestFrame],
    writers: Sequence[SlotWriter | None],
    outputs: list[Array],
    specs: Specs,
    run_s: float,
) -> list[list[bytes]]:
    """For each frame, in the order of their rows in ``outputs``, its answers, whole as sent.

    ``writers``: the ends of the memory that is shared with those who sent the frames.
    """
    answers = [list[bytes]() for _frame in frames]
    try:
        _deal_out(answers, frames, writers, outputs, specs, run_s)
    except BaseException:
        # Their slots would never be read.
        for own, slots in zip(answers, writers, strict=True):
            for answer in own:
                drop_answer(answer, slots)
        raise
    return answers


def _deal_out(
    answers: list[list[bytes]],
    frames: Sequence[RequestFrame],
    writers: Sequence[SlotWriter | None],
    outputs: list[Array],
    specs: Specs,
    run_s: float,
) -> None:
    start = 0
    run_rows = sum([frame.rows for frame in frames])
    for to, frame, slots in zip(answers, frames, writers, strict=True):
        end = start + frame.rows
        own = outputs if len(frames) == 1 else rows_between(outputs, start, end, specs)
        _answer(to, frame, slots, own, specs, run_s, run_rows)
        start, run_rows = end, -1


def _answer(
    answers: list[bytes],
    frame: RequestFrame,
    slots: SlotWriter | None,
    outputs: list[Array],
    specs: Specs,
    run_s: float,
    run_rows: int,
) -> None:
    parts = len(frame.part_rows)
    if parts == 1 or sum([output.nbytes for output in outputs]) <= _LONG_BYTES:
        first = frame.first_part
        answers.append(
            encode_answer(frame.id, first, parts, outputs, specs, run_s, run_rows, slots)
        )
        return
    start = 0
    for part, rows in enumerate(frame.part_rows, frame.first_part):
        own = rows_between(outputs, start, start + rows, specs)
        answers.append(encode_answer(frame.id, part, 1, own, specs, run_s, run_rows, slots))
        start, run_rows = start + rows, -1
