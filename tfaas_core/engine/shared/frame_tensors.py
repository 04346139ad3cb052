"""Frame tensors: how arrays stand in a frame, or in its slot: see ``frames``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct as Layout
from typing import Any

import msgspec
import numpy as np

from tfaas_core.engine.shared.slots import (
    HALF_BYTES,
    LEAST_BYTES,
    NoSlot,
    Slot,
    SlotReader,
    SlotWriter,
)
from tfaas_core.levels import ALIGNED_BYTES, Levels, as_numbers
from tfaas_core.tensors import Array, TensorSpec

_TENSOR = Layout("<BQ")
_SCALE = Layout("<dd")
_OF_LEVELS = 0x80
_UINT8 = np.dtype(np.uint8)
SLOT = Layout("<QQI")
"""How a frame names its slot."""

_encode_strings = msgspec.msgpack.encode
_decode_strings = msgspec.msgpack.Decoder(list[bytes]).decode


def add_tensor(pieces: list[Any], spec: TensorSpec, parts: Sequence[Array]) -> int:
    """Appends the concatenation of ``parts`` along axis 0, without making it.

    Returns how many bytes it appended.
    """
    scale = b""
    if Levels in map(type, parts):
        parts, scale = _alike(parts)
    shape = parts[0].shape
    if len(parts) > 1:
        shape = (sum([part.shape[0] for part in parts]), *shape[1:])
    if spec.dtype == "string":
        values: list[Any] = [_encode_strings([v for part in parts for v in part.flat])]
        size = len(values[0])
    else:
        values = [part if part.flags.c_contiguous else np.ascontiguousarray(part) for part in parts]
        size = sum([value.nbytes for value in values])
    rank = len(shape)
    pieces.append(_TENSOR.pack(rank + _OF_LEVELS if scale else rank, size))
    pieces.append(layout_of("Q", rank).pack(*shape) + scale)
    pieces += values
    return _TENSOR.size + 8 * rank + len(scale) + size


def _alike(parts: Sequence[Any]) -> tuple[Sequence[Array], bytes]:
    """Levels of one scale, and that; or of several, or beside numbers, numbers."""
    scales = {part.scale if type(part) is Levels else None for part in parts}
    scale = scales.pop()
    return (as_numbers(parts), b"") if scales or scale is None else (parts, _SCALE.pack(*scale))


def are_put(pieces: list[Any], slots: SlotWriter, may_wait: bool = False) -> bool:
    """Whether there was a slot for the arrays among ``pieces``; it stands there instead then.

    If so, all pieces are bytes then. Raises NoSlot if there may be one later, and they
    ``may_wait``.
    """
    size = 0
    for piece in pieces:
        size = _aligned(size) if type(piece) is bytes else size + piece.nbytes
    slot = slots.take(size) if size >= LEAST_BYTES else None
    if slot is None:
        if may_wait and LEAST_BYTES <= size <= HALF_BYTES:
            raise NoSlot
        return False
    try:
        at = slot.begin
        for piece in pieces:
            at = _aligned(at) if type(piece) is bytes else slots.write(at, piece)
    except BaseException:
        slots.give_back(slot)
        raise
    pieces[:] = [SLOT.pack(slot.begin, slot.end, slot.number), *filter(_is_bytes, pieces)]
    return True


def _is_bytes(piece: Any) -> bool:
    return type(piece) is bytes


def _aligned(at: int) -> int:
    return at + -at % ALIGNED_BYTES


def read_tensors(
    frame: bytes | memoryview,
    offset: int,
    specs: Sequence[TensorSpec],
    values: Array | None,
    *,
    take_levels: bool = False,
) -> list[Array]:
    """The tensors of which there are heads from ``offset`` on, as read-only views.

    ``values``: of the frame's slot, if it has one. Raises ValueError, and others, for what is none.
    """
    tensors: list[Array] = []
    at = 0
    for spec in specs:
        rank, size = _TENSOR.unpack_from(frame, offset)
        offset += _TENSOR.size
        dtype, scale = spec.numpy_dtype, None
        if rank >= _OF_LEVELS:
            if not take_levels or spec.dtype == "string":
                raise ValueError(f"tensor {spec.name!r} may not be levels")
            rank, dtype = rank - _OF_LEVELS, _UINT8
            scale = _SCALE.unpack_from(frame, offset + 8 * rank)
        shape = layout_of("Q", rank).unpack_from(frame, offset)
        offset += 8 * rank if scale is None else 8 * rank + _SCALE.size
        if spec.dtype == "string":
            strings = _decode_strings(memoryview(frame)[offset : offset + size])
            tensors.append(np.array([*strings, None], object)[:-1].reshape(shape))
            offset += size
        elif values is None:
            count = math.prod(shape)
            tensors.append(np.frombuffer(frame, dtype, count, offset).reshape(shape))
            offset += size
        else:
            at = _aligned(at)
            tensors.append(_array_at(values, at, shape, dtype))
            at += size
        if scale is not None:
            tensors[-1] = Levels.of(tensors[-1], spec.numpy_dtype, *scale)
    return tensors


def _array_at(values: Array, at: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """The array that lies there. Raises ValueError or TypeError if ``values`` end before it."""
    return np.ndarray(shape, dtype, values, at)


def values_at(frame: bytes | memoryview, offset: int, slots: SlotReader) -> Array:
    """The values of the slot that is named there: see ``SlotReader.opened``."""
    return slots.opened(Slot(*SLOT.unpack_from(frame, offset)))


@lru_cache(1024)
def layout_of(code: str, count: int) -> Layout:
    """Of so many numbers, one behind the other."""
    return Layout(f"<{count}{code}")
