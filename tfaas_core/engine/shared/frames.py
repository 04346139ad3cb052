"""Frames: requests to a servable and answers from it, as bytes on a stream socket.

Both kinds start with ``size`` (bytes after the size field) and the frame's id. A request frame
holds one or more *parts*, each one client's rows, already concatenated along axis 0::

    request   <QIdHHBB  size, id, deadline_s, parts, inputs, alone, signature
              <I x parts  rows   tensors
    answer    <QIHHBfi  size, id, first part, parts, ok, run_s, run rows
                        tensors, or a Failure as MessagePack
    tensor    <BQ      rank, bytes      <Q x rank  shape    C-order values, native byte order

The dtype of a tensor is its spec's. Strings are a MessagePack array of bytes. ``deadline_s`` is
the sender's ``time.monotonic``, the same clock in all processes of a machine; of one from
another machine, SenderClock makes what it is here. An answer speaks for a range of
its frame's parts, so that the values that cannot be run fail alone; ``run_s`` is how long the run
took, in seconds. ``alone`` is 1 if the one part of a frame is to be run as it is: its inputs may
have different first axes. It is 2 if these may have other shapes than the signature's, too.
``signature`` is that which is asked for: 0 is the model's own, the others count from 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from struct import Struct as Layout
from typing import Any

import msgspec
import numpy as np

from tfaas_core.engine.shared.messages import Failure
from tfaas_core.errors import TfaasError
from tfaas_core.tensors import Array, TensorSpec

_SIZE = Layout("<Q")
_REQUEST = Layout("<QIdHHBB")
_ANSWER = Layout("<QIHHBfi")
_TENSOR = Layout("<BQ")
MAX_PARTS = 0xFFFF
"""Of one frame."""

MOST_ANSWER_BYTES = 1 << 32
"""Of one frame: what a model's process can make an HTTP worker keep."""

MOST_REQUEST_BYTES = 1 << 32
"""Of one frame: what another machine can make a model's process keep."""

_REQUEST_BODY = Layout("<IdHHBB")
_SIGNATURE_AT = _REQUEST_BODY.size - 1
_WHOLE = 1
ANY_SHAPE = 2
"""What ``alone`` of a request is, if its inputs may have any shape."""

_ANSWER_BODY = Layout("<IHHBfi")

ANSWER_HEAD_BYTES = _ANSWER.size
"""Of an answer, what comes before its tensors."""

_encode_strings = msgspec.msgpack.encode
_decode_strings = msgspec.msgpack.Decoder(list[bytes]).decode
_decode_failure = msgspec.msgpack.Decoder(Failure).decode


class RequestFrame(msgspec.Struct):
    """``inputs`` are concatenated over the parts, in the signature's order; ``rows``: of all."""

    id: int
    deadline_s: float
    part_rows: list[int]
    rows: int
    inputs: list[Array]
    whole: bool = False
    any_shape: bool = False
    signature: int = 0


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
) -> bytes:
    """A request frame; ``parts[i][j]`` is input j of part i, all of one shape but for axis 0."""
    pieces: list[Any] = [_pack_many("I", part_rows)]
    for index, spec in enumerate(specs):
        _add_tensor(pieces, spec, [part[index] for part in parts])
    size = _REQUEST.size - _SIZE.size + _bytes_of(pieces)
    head = _REQUEST.pack(size, frame_id, deadline_s, len(part_rows), len(specs), alone, signature)
    return b"".join([head, *pieces])


def decode_request(frame: bytes, specs: Sequence[TensorSpec]) -> RequestFrame:
    """Reads what ``encode_request`` wrote, less its size field. The arrays are read-only views."""
    frame_id, deadline_s, parts, count, alone, signature = _REQUEST_BODY.unpack_from(frame)
    if count != len(specs):
        raise ValueError(f"a request has {count} inputs, and the model takes {len(specs)}")
    rows = list(_layout("I", parts).unpack_from(frame, _REQUEST_BODY.size))
    inputs = _read_tensors(frame, _REQUEST_BODY.size + 4 * parts, specs)
    whole, any_shape = alone >= _WHOLE, alone == ANY_SHAPE
    return RequestFrame(frame_id, deadline_s, rows, sum(rows), inputs, whole, any_shape, signature)


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
) -> bytes:
    """The outputs for a range of a frame's parts. Raises ValueError or TypeError for others.

    ``run_s``, ``run_rows``: see AnswerFrame.
    """
    pieces: list[Any] = []
    for output, spec in zip(outputs, specs, strict=True):
        if output.dtype != spec.numpy_dtype:
            raise TypeError(f"output {spec.name!r} is {output.dtype}, not {spec.dtype}")
        _add_tensor(pieces, spec, [output])
    size = _ANSWER.size - _SIZE.size + _bytes_of(pieces)
    head = _ANSWER.pack(size, frame_id, first_part, parts, True, run_s, run_rows)
    return b"".join([head, *pieces])


def encode_failure(frame_id: int, first_part: int, parts: int, error: TfaasError) -> bytes:
    """Why a range of a frame's parts has no outputs."""
    payload = msgspec.msgpack.encode(Failure.of(error))
    size = _ANSWER.size - _SIZE.size + len(payload)
    return _ANSWER.pack(size, frame_id, first_part, parts, False, 0.0, -1) + payload


def decode_answer(frame: bytes | memoryview, specs: Sequence[TensorSpec]) -> AnswerFrame:
    """Reads what ``encode_answer`` or ``encode_failure`` wrote, less its size field."""
    frame_id, first_part, parts, ok, run_s, run_rows = _ANSWER_BODY.unpack_from(frame)
    if not ok:
        failure = _decode_failure(memoryview(frame)[_ANSWER_BODY.size :])
        return AnswerFrame(frame_id, first_part, parts, [], run_s, run_rows, failure.error())
    outputs = _read_tensors(frame, _ANSWER_BODY.size, specs)
    return AnswerFrame(frame_id, first_part, parts, outputs, run_s, run_rows)


def _add_tensor(pieces: list[Any], spec: TensorSpec, parts: Sequence[Array]) -> None:
    """Appends the concatenation of ``parts`` along axis 0, without making it."""
    first = parts[0]
    shape = first.shape
    if len(parts) > 1:
        shape = (sum([part.shape[0] for part in parts]), *shape[1:])
    if spec.dtype == "string":
        values: list[Any] = [_encode_strings([v for part in parts for v in part.flat])]
        size = len(values[0])
    else:
        values = [part if part.flags.c_contiguous else np.ascontiguousarray(part) for part in parts]
        size = math.prod(shape) * first.itemsize
    pieces.append(_TENSOR.pack(len(shape), size))
    pieces.append(_pack_many("Q", shape))
    pieces += values


def _read_tensors(
    frame: bytes | memoryview, offset: int, specs: Sequence[TensorSpec]
) -> list[Array]:
    tensors = []
    for spec in specs:
        rank, size = _TENSOR.unpack_from(frame, offset)
        offset += _TENSOR.size
        shape = _layout("Q", rank).unpack_from(frame, offset)
        offset += 8 * rank
        tensors.append(_read_values(frame, offset, size, shape, spec))
        offset += size
    return tensors


def _read_values(
    frame: bytes | memoryview, offset: int, size: int, shape: tuple[int, ...], spec: TensorSpec
) -> Array:
    if spec.dtype == "string":
        strings = _decode_strings(memoryview(frame)[offset : offset + size])
        return np.array([*strings, None], object)[:-1].reshape(shape)
    return np.frombuffer(frame, spec.numpy_dtype, math.prod(shape), offset).reshape(shape)


@lru_cache(1024)
def _layout(code: str, count: int) -> Layout:
    return Layout(f"<{count}{code}")


def _pack_many(code: str, numbers: Sequence[int]) -> bytes:
    return _layout(code, len(numbers)).pack(*numbers)


def _bytes_of(pieces: Sequence[Any]) -> int:
    return sum([len(piece) if type(piece) is bytes else piece.nbytes for piece in pieces])
