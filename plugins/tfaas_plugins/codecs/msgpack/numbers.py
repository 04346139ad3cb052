"""Lists of floats in a MessagePack body, read into an array without a Python object for each.

Floats are all as long, and so are lists of as many: what is in one place of a list is as far from
what is in the same place of the next one, wherever that is.
"""

from __future__ import annotations

from math import prod
from typing import Any

import msgspec
import numpy as np

from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array
from tfaas_core.texts.unreadable import UNREADABLE
from tfaas_plugins.codecs.msgpack.heads import map_head
from tfaas_plugins.codecs.msgpack.steps import LONG_BYTES, list_size, read_in_steps
from tfaas_plugins.codecs.values.number_lists import NumberLists
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES, UsualArray

_SMALLEST_BYTES = 1 << 12
"""A shorter body is read sooner with an object for each number."""

_FIELD = "values"
_USUAL = {_FIELD, "model"}
_KEY = msgspec.msgpack.encode(_FIELD)
_FIRST_BYTES = 1 << 8
_FEW_FIELDS, _MOST_FIELDS = 0x80, 0x8F
_FLOATS: dict[int, np.dtype[Any]] = {0xCA: np.dtype(">f4"), 0xCB: np.dtype(">f8")}
"""By MessagePack's mark of a float."""

_MOST_AXES = 16

_NONE_SUCH = (*UNREADABLE, IndexError)


def read_with_numbers(body: bytes, limits: Limits) -> dict[Any, Any] | None:
    """The fields of a map of which ``values`` are lists of floats: NumberLists of float64.

    None if it is shorter than it pays, or anything else, or holds more than ``limits`` allow.
    """
    if len(body) < _SMALLEST_BYTES or not _FEW_FIELDS < body[0] <= _MOST_FIELDS:
        return None
    at = body.find(_KEY, 1, _FIRST_BYTES)
    try:
        found = None if at < 0 else _floats_at(body, at + len(_KEY), limits)
        return None if found is None else _fields(body, at, *found)
    except _NONE_SUCH:
        return None


def usual_array(body: bytes, limits: Limits) -> UsualArray | None:
    """What a body says that is as nearly all are; None: it is not."""
    fields = read_with_numbers(body, limits) if len(body) <= MOST_ARRAY_BYTES else None
    if fields is None or not fields.keys() <= _USUAL:
        return None
    model, array = fields.get("model"), fields[_FIELD].array
    if not (model is None or type(model) is str) or array.ndim != 2:
        return None
    return UsualArray(array, model)


def _fields(body: bytes, at: int, array: Array, end: int) -> dict[Any, Any] | None:
    """All fields, of which ``values`` begin ``at`` and end at ``end``."""
    before = body[1:at]
    # One at most, and whole: so this is a key, and no part of a text, say.
    msgspec.msgpack.decode(map_head(1 if before else 0) + before)
    fields = msgspec.msgpack.decode(map_head(body[0] - _FEW_FIELDS - 1) + before + body[end:])
    if _FIELD in fields:
        return None
    read = read_in_steps if len(body) > LONG_BYTES else msgspec.msgpack.decode
    fields[_FIELD] = NumberLists(array, body, (_FIELD,), read)
    return fields  # type: ignore[no-any-return]


def _floats_at(body: bytes, at: int, limits: Limits) -> tuple[Array, int] | None:
    """The array of the lists that begin there, and where they end; None: these are others."""
    bounds, shape = _nested_at(body, at)
    dtype = _FLOATS.get(body[bounds[-1]])
    if dtype is None or not 0 < len(shape) <= _MOST_AXES or 0 in shape:
        return None
    strides: tuple[int, ...] = (1 + dtype.itemsize,)
    for axis in range(len(shape) - 1, 0, -1):
        head_bytes = bounds[axis + 1] - bounds[axis]
        strides = (head_bytes + shape[axis] * strides[0], *strides)
    end = bounds[1] + shape[0] * strides[0]
    if end > len(body):
        return None
    lists = sum(prod(shape[:axis]) for axis in range(len(shape)))
    # Each of the other bytes may be a list, or a value.
    others = len(body) - (end - at)
    if lists + others > limits.max_lists or prod(shape) + others > limits.max_values:
        return None
    if not _are_alike(body, bounds, shape, strides):
        return None
    return np.ndarray(shape, dtype, body, bounds[-1] + 1, strides).astype(np.float64), end


def _nested_at(body: bytes, at: int) -> tuple[list[int], tuple[int, ...]]:
    """Where the first list of each level begins, and its first item that is none; their sizes."""
    bounds, shape = [at], tuple[int, ...]()
    while (size := list_size(body, at, body[at])) is not None and len(shape) <= _MOST_AXES:
        shape, at = (*shape, size[0]), size[1]
        bounds.append(at)
    return bounds, shape


def _are_alike(
    body: bytes, bounds: list[int], shape: tuple[int, ...], strides: tuple[int, ...]
) -> bool:
    """Whether the head of each list, and the mark of each float, is that of the first one."""
    for axis in range(1, len(shape)):
        start, size = bounds[axis], bounds[axis + 1] - bounds[axis]
        heads = np.ndarray((*shape[:axis], size), np.uint8, body, start, (*strides[:axis], 1))
        if (heads != heads[(0,) * axis]).any():
            return False
    marks = np.ndarray(shape, np.uint8, body, bounds[-1], strides)
    return not (marks != body[bounds[-1]]).any()
