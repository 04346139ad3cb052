"""Arrays as MessagePack's nested lists, without a Python object for each float."""

from __future__ import annotations

from math import isfinite
from struct import pack
from typing import Any

import msgspec
import numpy as np

from tfaas_core.tensors import Array
from tfaas_plugins.codecs.msgpack.heads import list_head
from tfaas_plugins.codecs.msgpack.pieces import MOST_AT_ONCE, Pieces, in_pieces

_TAGS = {4: 0xCA, 8: 0xCB}
"""MessagePack's mark of a float, by its bytes."""

_FORMATS = {2: (">Bf", 0xCA), 4: (">Bf", 0xCA), 8: (">Bd", 0xCB)}
"""How ``struct`` writes a float and its mark, by its bytes in the array."""

_FEW = 32
"""Up to as many floats are sooner written one by one."""

_NIL = 0xC0
_LEFT_OUT = 0x100
"""No byte: dropped before the bytes are written."""


def lists(array: Array) -> Any:
    """What ``dumped`` writes as nested lists: float32 as such, NaN and infinities as nil.

    float16 is written as float32, complex numbers as pairs ``[re, im]``; bytes are strings if
    they are UTF-8, and else bin.
    """
    if array.size > MOST_AT_ONCE:
        return Pieces(in_pieces(array, _piece))
    return _plain(array)


def _piece(array: Array) -> bytes:
    return msgspec.msgpack.encode(_plain(array))


def _plain(array: Array) -> Any:
    if array.dtype.kind == "c":
        array = array.view(array.real.dtype).reshape(*array.shape, 2)
    if array.dtype.kind == "f" and array.size:
        if array.size <= _FEW:
            return msgspec.Raw(_spelt(array.tolist(), *_FORMATS[array.itemsize]))
        return msgspec.Raw(_float_lists(array))
    return _with_texts(array) if array.dtype.kind == "O" else array.tolist()


def _spelt(values: Any, format: str, tag: int) -> bytes:
    if type(values) is float:
        return pack(format, tag, values) if isfinite(values) else bytes([_NIL])
    items = [_spelt(value, format, tag) for value in values]
    return list_head(len(items)) + b"".join(items)


def _float_lists(array: Array) -> bytes:
    if array.itemsize == 2:
        array = array.astype(np.float32)
    finite = np.isfinite(array)
    whole = bool(finite.all())
    block = np.empty((*array.shape, 1 + array.itemsize), np.uint8 if whole else np.uint16)
    block[..., 0] = _TAGS[array.itemsize]
    big_endian = array.astype(array.dtype.newbyteorder(">"))
    block[..., 1:] = big_endian[..., np.newaxis].view(np.uint8)
    if not whole:
        block[~finite] = [_NIL, *[_LEFT_OUT] * array.itemsize]
    for size in reversed(array.shape):
        items = block.reshape(-1, size * block.shape[-1])
        head = list(list_head(size))
        block = np.empty((len(items), len(head) + items.shape[1]), items.dtype)
        block[:, : len(head)] = head
        block[:, len(head) :] = items
    return (block if whole else block[block != _LEFT_OUT].astype(np.uint8)).tobytes()


def _with_texts(array: Array) -> Any:
    texts = np.empty(array.size, object)
    texts[:] = [_text(value) for value in array.flat]
    return texts.reshape(array.shape).tolist()


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
