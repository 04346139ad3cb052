"""Frames: requests to a servable and answers from it, as bytes on a stream socket.

Both kinds start with ``size`` (bytes after the size field) and the frame's id. A request frame
holds one or more *parts*, each one client's rows, already concatenated along axis 0::

    request   <QIdHHBB  size, id, deadline_s, parts, inputs, alone, signature
              [slot]    <I x parts  rows   tensors
    answer    <QIHHBfi  size, id, first part, parts, ok, run_s, run rows
                        [slot]  tensors, or a Failure as MessagePack
    tensor    <BQ      rank, bytes      <Q x rank  shape    C-order values, native byte order
    slot      <QQI     begin, end, number

If 128 is added to a rank of a request, behind the shape stand the divisor and the offset of Levels,
as ``<dd``; their values are uint8. The dtype of all other tensors is their spec's. Strings are a
MessagePack array of bytes. If 128 is added to ``alone``, or ``ok`` is 2, there is a slot, which has
the values of all tensors but those of strings, one behind the other, each from a multiple of
ALIGNED_BYTES on. ``deadline_s`` is the sender's ``time.monotonic``, the same clock in all processes
of a machine; of one from another machine, SenderClock makes what it is here. An answer speaks for a
range of its frame's parts, so that the values that cannot be run fail alone; ``run_s`` is how long
the run took, in seconds. ``alone`` is 1 if the one part of a frame is to be run as it is: its
inputs may have different first axes. It is 2 if these may have other shapes than the signature's,
too. ``signature`` is that which is asked for: 0 is the model's own, the others count from 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from struct import Struct as Layout
from typing import Any

import msgspec

from tfaas_core.engine.shared.frame_tensors import (
    SLOT,
    add_tensor,
    are_put,
    layout_of,
    read_tensors,
    values_at,
)
from tfaas_core.engine.shared.messages import Failure
from tfaas_core.engine.shared.slots import LEAST_BYTES, SlotReader, SlotWriter
from tfaas_core.errors import TfaasError
from tfaas_core.tensors import Array, TensorSpec

_SIZE = Layout("<Q")
_REQUEST = Layout("<QIdHHBB")
_ANSWER = Layout("<QIHHBfi")
MAX_PARTS = 0xFFFF
"""Of one frame."""

MOST_ANSWER_BYTES = 1 << 32
"""Of one frame: what a model's process can make an HTTP worker keep."""

MOST_REQUEST_BYTES = 1 << 32
"""Of one frame: what another machine can make a model's process keep."""

_REQUEST_BODY = Layout("<IdHHBB")
_ALONE_AT, _SIGNATURE_AT = _REQUEST_BODY.size - 2, _REQUEST_BODY.size - 1
_WHOLE = 1
ANY_SHAPE = 2
"""What ``alone`` of a request is, if its inputs may have any shape."""

_IN_SLOT = 0x80
OK_IN_SLOT = 2
_ANSWER_BODY = Layout("<IHHBfi")
OK_AT = Layout("<QIHH").size

ANSWER_HEAD_BYTES = _ANSWER.size
"""Of an answer, what comes before its tensors."""

_decode_failure = msgspec.msgpack.Decoder(Failure).decode


class RequestFrame(msgspec.Struct):
    """``inputs`` are concatenated over the parts, in the signature's order; ``rows``: of all.

    ``first_part``: how many parts the frame had before these, which were taken off.
    """

    id: int
    deadline_s: float
    part_rows: list[int]
    rows: int
    inputs: list[Array]
    whole: bool = False
    any_shape: bool = False
    signature: int = 0
    first_part: int = 0


class AnswerFrame(msgspec.Struct):
    """Outputs, concatenated over ``parts`` parts from ``first_part`` on; or why there are none."""

    id: int
    first_part: int
    parts: int
    outputs: list[Array]
    run_s: float
    run_rows: int
    """Of the whole run, in one of the answers that shared it; in the others less than 0."""
    failure: TfaasError | None = None


class FrameBuffer:
    """Cuts a byte stream into frames. One that is larger than ``most_bytes`` ends the stream."""

    def __init__(self, most_bytes: float = math.inf) -> None:
        self._bytes = bytearray()
        self._most_bytes = most_bytes

    def feed(self, data: bytes | memoryview) -> Iterator[bytes]:
        """The frames completed by ``data``, each without its size field.

        Raises ConnectionError at the head of one that is too large.
        """
        if not self._bytes and type(data) is bytes and len(data) >= _SIZE.size:
            (size,) = _SIZE.unpack_from(data)
            if _SIZE.size + size == len(data):  # nearly always: one frame, and all of it
                yield data[_SIZE.size :]
                return
        self._bytes += data
        start, available = 0, len(self._bytes)
        while available - start >= _SIZE.size:
            (size,) = _SIZE.unpack_from(self._bytes, start)
            end = start + _SIZE.size + size
            if end > available:
                if self._begins(size, start):
                    start = available
                break
            yield bytes(memoryview(self._bytes)[start + _SIZE.size : end])
            start = end
        if start:
            del self._bytes[:start]

    def _begins(self, size: int, start: int) -> bool:
        """Whether a frame of ``size`` bytes is taken elsewhere, of which some came, at ``start``.

        Raises ConnectionError if it is too large.
        """
        if size > self._most_bytes:
            raise ConnectionError(f"a frame of {size} bytes is announced, which is too large")
        return False


def encode_request(
    frame_id: int,
    deadline_s: float,
    part_rows: Sequence[int],
    parts: Sequence[Sequence[Array]],
    specs: Sequence[TensorSpec],
    alone: int = False,
    signature: int = 0,
    slots: SlotWriter | None = None,
    may_wait: bool = False,
) -> bytes:
    """A request frame; ``parts[i][j]`` is input j of part i, all of one shape but for axis 0.

    If it is large, its values go to ``slots``, as far as there is room. Raises NoSlot if there may
    be some later, and it ``may_wait``.
    """
    pieces: list[Any] = [layout_of("I", len(part_rows)).pack(*part_rows)]
    size = _REQUEST_BODY.size + len(pieces[0])
    for index, spec in enumerate(specs):
        size += add_tensor(pieces, spec, [part[index] for part in parts])
    if slots is not None and size >= LEAST_BYTES and are_put(pieces, slots, may_wait):
        size = _REQUEST_BODY.size + sum(map(len, pieces))
        alone |= _IN_SLOT
    head = _REQUEST.pack(size, frame_id, deadline_s, len(part_rows), len(specs), alone, signature)
    return b"".join([head, *pieces])


def decode_request(
    frame: bytes, specs: Sequence[TensorSpec], values: Array | None = None
) -> RequestFrame:
    """Reads what ``encode_request`` wrote, less its size field. The arrays are read-only views.

    ``values``: what ``values_of_request`` gave, if it gave any. Raises ValueError for no such
    frame, or one that has none.
    """
    frame_id, deadline_s, parts, count, alone, signature = _REQUEST_BODY.unpack_from(frame)
    if count != len(specs):
        raise ValueError(f"a request has {count} inputs, and the model takes {len(specs)}")
    offset = _REQUEST_BODY.size
    if alone >= _IN_SLOT:
        if values is None:
            raise ValueError("a request names a slot, and shares no memory")
        offset += SLOT.size
        alone -= _IN_SLOT
    rows = list(layout_of("I", parts).unpack_from(frame, offset))
    inputs = read_tensors(frame, offset + 4 * parts, specs, values, take_levels=True)
    whole, any_shape = alone >= _WHOLE, alone == ANY_SHAPE
    return RequestFrame(frame_id, deadline_s, rows, sum(rows), inputs, whole, any_shape, signature)


def values_of_request(frame: bytes, slots: SlotReader | None) -> Array | None:
    """The values of a request frame, less its size field, if they are in a slot.

    They count as read once no array of them is left. Raises ValueError if that is no slot.
    """
    if slots is None or frame[_ALONE_AT] < _IN_SLOT:
        return None
    return values_at(frame, _REQUEST_BODY.size, slots)


def signature_of_request(frame: bytes) -> int:
    """Which signature a request frame, less its size field, asks for."""
    return frame[_SIGNATURE_AT]


def is_request(frame: bytes) -> bool:
    """Whether a frame, less its size field, is long enough to be refused, if nothing else."""
    return len(frame) >= _REQUEST_BODY.size


def parts_of_answer(frame: bytes) -> tuple[int, int, int]:
    """Of an answer, with its size field: the id of its request, the first part, and how many."""
    _size, frame_id, first_part, parts, *_others = _ANSWER.unpack_from(frame)
    return frame_id, first_part, parts


def id_of_answer(frame: bytes | memoryview) -> int:
    """The id of an answer, less its size field: that of the request that it answers."""
    return int.from_bytes(frame[:4], "little")


def failure_of(frame: bytes, error: TfaasError) -> bytes:
    """The answer to a request frame of which nothing but the head can be read."""
    frame_id, _deadline_s, parts, *_others = _REQUEST_BODY.unpack_from(frame)
    return encode_failure(frame_id, 0, parts, error)


def encode_answer(
    frame_id: int,
    first_part: int,
    parts: int,
    outputs: Sequence[Array],
    specs: Sequence[TensorSpec],
    run_s: float = 0.0,
    run_rows: int = -1,
    slots: SlotWriter | None = None,
) -> bytes:
    """The outputs for a range of a frame's parts: what ``answer_pieces`` gives, in one piece."""
    given = frame_id, first_part, parts, outputs, specs, run_s, run_rows, slots
    return b"".join(answer_pieces(*given))


def answer_pieces(
    frame_id: int,
    first_part: int,
    parts: int,
    outputs: Sequence[Array],
    specs: Sequence[TensorSpec],
    run_s: float = 0.0,
    run_rows: int = -1,
    slots: SlotWriter | None = None,
) -> list[Any]:
    """The outputs for a range of a frame's parts: bytes, the head first, and arrays as they lie.

    ``run_s``, ``run_rows``: see AnswerFrame. ``slots``: as for a request; if the values are there,
    all pieces are bytes. Raises ValueError or TypeError for what are no such outputs.
    """
    pieces: list[Any] = []
    size, ok = _ANSWER_BODY.size, 1
    for output, spec in zip(outputs, specs, strict=True):
        if output.dtype != spec.numpy_dtype:
            raise TypeError(f"output {spec.name!r} is {output.dtype}, not {spec.dtype}")
        size += add_tensor(pieces, spec, [output])
    if slots is not None and size >= LEAST_BYTES and are_put(pieces, slots):
        size, ok = _ANSWER_BODY.size + sum(map(len, pieces)), OK_IN_SLOT
    return [_ANSWER.pack(size, frame_id, first_part, parts, ok, run_s, run_rows), *pieces]


def encode_failure(frame_id: int, first_part: int, parts: int, error: TfaasError) -> bytes:
    """Why a range of a frame's parts has no outputs."""
    payload = msgspec.msgpack.encode(Failure.of(error))
    size = _ANSWER.size - _SIZE.size + len(payload)
    return _ANSWER.pack(size, frame_id, first_part, parts, False, 0.0, -1) + payload


def decode_answer(
    frame: bytes | memoryview, specs: Sequence[TensorSpec], slots: SlotReader | None = None
) -> AnswerFrame:
    """Reads what ``encode_answer`` or ``encode_failure`` wrote, less its size field.

    Raises ValueError, among others, for what is no such frame.
    """
    frame_id, first_part, parts, ok, run_s, run_rows = _ANSWER_BODY.unpack_from(frame)
    if not ok:
        failure = _decode_failure(memoryview(frame)[_ANSWER_BODY.size :])
        return AnswerFrame(frame_id, first_part, parts, [], run_s, run_rows, failure.error())
    if ok != OK_IN_SLOT:
        outputs = read_tensors(frame, _ANSWER_BODY.size, specs, None)
        return AnswerFrame(frame_id, first_part, parts, outputs, run_s, run_rows)
    if slots is None:
        raise ValueError("an answer names a slot, and shares no memory")
    values = values_at(frame, _ANSWER_BODY.size, slots)
    outputs = read_tensors(frame, _ANSWER_BODY.size + SLOT.size, specs, values)
    return AnswerFrame(frame_id, first_part, parts, outputs, run_s, run_rows)
