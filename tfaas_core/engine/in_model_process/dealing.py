"""Dealing out: the outputs of a run as answers to the frames that shared it."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_core.engine.shared.frames import RequestFrame, answer_pieces
from tfaas_core.engine.shared.outputs import Specs, rows_between
from tfaas_core.engine.shared.sent_answer import SentAnswer, drop_answer, sent_answer
from tfaas_core.engine.shared.slots import SlotWriter
from tfaas_core.tensors import Array

_LONG_BYTES = 1 << 20
"""Of the rows of outputs of one frame: longer ones are an answer for each part, which comes, counts
and goes by itself. Constant outputs would then be in each."""


def dealt_out(
    frames: Sequence[RequestFrame],
    writers: Sequence[SlotWriter | None],
    outputs: list[Array],
    specs: Specs,
    run_s: float,
) -> list[list[SentAnswer]]:
    """For each frame, in the order of their rows in ``outputs``, its answers.

    ``writers``: the ends of the memory that is shared with those who sent the frames.
    """
    answers = [list[SentAnswer]() for _frame in frames]
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
    answers: list[list[SentAnswer]],
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
    answers: list[SentAnswer],
    frame: RequestFrame,
    slots: SlotWriter | None,
    outputs: list[Array],
    specs: Specs,
    run_s: float,
    run_rows: int,
) -> None:
    first, parts = frame.first_part, len(frame.part_rows)
    if parts == 1 or _rows_bytes(outputs, specs) <= _LONG_BYTES:
        given = frame.id, first, parts, outputs, specs, run_s, run_rows, slots
        answers.append(sent_answer(answer_pieces(*given)))
        return
    start = 0
    for part, rows in enumerate(frame.part_rows, first):
        own = rows_between(outputs, start, start + rows, specs)
        pieces = answer_pieces(frame.id, part, 1, own, specs, run_s, run_rows, slots)
        answers.append(sent_answer(pieces))
        start, run_rows = start + rows, -1


def _rows_bytes(outputs: list[Array], specs: Specs) -> int:
    pairs = zip(outputs, specs, strict=True)
    return sum([output.nbytes for output, spec in pairs if not spec.constant])
