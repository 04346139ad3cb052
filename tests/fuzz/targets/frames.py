"""Frames between HTTP workers and models: cut alike in any pieces, and read, or refused quickly."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from tests.core.engine.shared.test_frames import are_same
from tests.fuzz.dice import Dice, pieces
from tfaas_core.engine.shared.frames import (
    FrameBuffer,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from tfaas_core.errors import is_error_status
from tfaas_core.routing.seam import error_answer
from tfaas_core.tensors import NUMPY_DTYPES, TensorSpec

_SPECS = [
    [],
    *([TensorSpec("x", dtype, None)] for dtype in NUMPY_DTYPES),
    [TensorSpec("x", "float32", (None, 3)), TensorSpec("y", "string", (None,))],
]
_SIZES = (1, 3, 8, 1 << 20)
_MOST_BYTES = 1 << 16

REFUSALS = (ValueError, TypeError, OverflowError, struct.error, msgspec.MsgspecError)
"""Any of these ends the connection: nobody but a broken model writes what raises them."""


def check(data: bytes) -> None:
    dice = Dice(data)
    specs, size = dice.one_of(_SPECS), dice.one_of(_SIZES)
    stream = dice.rest()
    frames = _cut(stream, size)
    assert _cut(stream, len(stream) or 1) == frames
    for frame in frames[0]:
        for read in (_request, _answer):
            _tried(lambda read=read, frame=frame: read(frame, specs))  # type: ignore[misc]


def _cut(stream: bytes, size: int) -> tuple[list[bytes], bool]:
    """The frames, and whether the stream ended with one that is too large."""
    buffer, frames = FrameBuffer(_MOST_BYTES), list[bytes]()
    try:
        for piece in pieces(stream, size):
            frames += buffer.feed(piece)
    except ConnectionError:
        return frames, True
    return frames, False


def _tried(read: Callable[[], None]) -> None:
    with suppress(*REFUSALS):
        read()


def _request(frame: bytes, specs: list[TensorSpec]) -> None:
    request = decode_request(frame, specs)
    assert request.rows == sum(request.part_rows)
    one = [request.inputs]
    again = encode_request(1, 0.0, [request.rows & 0xFFFF], one, specs)
    _same(request.inputs, decode_request(again[8:], specs).inputs)


def _answer(frame: bytes, specs: list[TensorSpec]) -> None:
    answer = decode_answer(frame, specs)
    if answer.failure is None:
        again = encode_answer(answer.id, answer.first_part, answer.parts, answer.outputs, specs)
        _same(answer.outputs, decode_answer(again[8:], specs).outputs)
    else:
        response = error_answer(answer.failure)
        assert is_error_status(response.status)


def _same(found: list[Any], again: list[Any]) -> None:
    assert all(map(are_same, found, again))
