"""Sent answers: bytes, or if they are long, what lies in several places, and is copied to none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from tfaas_core.engine.shared.frame_tensors import SLOT
from tfaas_core.engine.shared.frames import ANSWER_HEAD_BYTES, OK_AT, OK_IN_SLOT
from tfaas_core.engine.shared.slots import Slot, SlotWriter

LEAST_LENT_BYTES = 1 << 20
"""Of an answer. To send the arrays of a shorter one where they lie would save nothing."""


class LentAnswer:
    """A long answer, whole as sent: its arrays are those that a run gave, as they lie.

    Whoever gave them may change them in the next run: what is not sent by then is to be copied.
    """

    __slots__ = ("head", "pieces")

    def __init__(self, pieces: Sequence[Any]) -> None:
        """``pieces``: as ``answer_pieces`` gave them."""
        self.head: bytes = pieces[0]
        """What ``parts_of_answer`` reads."""
        self.pieces = [piece for piece in map(_bytes_of, pieces) if len(piece)]

    def __len__(self) -> int:
        return sum(map(len, self.pieces))


SentAnswer: TypeAlias = bytes | LentAnswer


def sent_answer(pieces: Sequence[Any]) -> SentAnswer:
    """The answer of what ``answer_pieces`` gave."""
    is_long = int.from_bytes(pieces[0][:8], "little") >= LEAST_LENT_BYTES
    return LentAnswer(pieces) if is_long else b"".join(pieces)


def drop_answer(answer: SentAnswer, slots: SlotWriter | None) -> None:
    """It is not sent: if its values are in a slot, that is free again."""
    begin = b"".join(answer.pieces[:2]) if isinstance(answer, LentAnswer) else answer
    if slots is not None and begin[OK_AT] == OK_IN_SLOT:
        slots.give_back(Slot(*SLOT.unpack_from(begin, ANSWER_HEAD_BYTES)))


def _bytes_of(piece: Any) -> memoryview:
    return memoryview(piece if type(piece) is bytes else piece.reshape(-1).view(np.uint8))
