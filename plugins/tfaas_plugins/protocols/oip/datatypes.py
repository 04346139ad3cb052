"""The datatypes of the Open Inference Protocol, and tensors as its raw bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from struct import Struct
from typing import Any

import numpy as np

from tfaas_core.errors import BadBody
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.values.pieces import bytes_of, pieces
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.bfloat16 import from_bits, to_bits
from tfaas_plugins.protocols.shapes import elements_of

_NAMES = {
    **{"bool": "BOOL", "string": "BYTES", "float16": "FP16", "float32": "FP32", "float64": "FP64"},
    **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
    "bfloat16": "BF16",
}
_SIZES = {
    **{"BOOL": 1, "FP16": 2, "BF16": 2, "FP32": 4, "FP64": 8},
    **{f"{sign}INT{bits}": bits // 8 for bits in (8, 16, 32, 64) for sign in ("", "U")},
}
DATATYPES = frozenset({*_SIZES, "BYTES"})
"""All that there are."""

_PLAIN = frozenset(_SIZES) - {"BOOL", "BF16"}

_LENGTH = Struct("<I")
_SMALL_BYTES = 1 << 12
"""Fewer are copied sooner than looked at where they are."""


def is_plain(datatype: object) -> bool:
    """Whether the bytes of such a tensor are those of its array, whatever they are."""
    return type(datatype) is str and datatype in _PLAIN


def has_datatype(spec: TensorSpec) -> bool:
    """Whether the protocol has a name for its dtype."""
    return (spec.carried or spec.dtype) in _NAMES


def datatype_of(spec: TensorSpec) -> str:
    """What the protocol calls the dtype; raises BadBody if it has no name for it."""
    name = _NAMES.get(spec.carried or spec.dtype)
    if name is None:
        raise BadBody(
            f"the model's {spec.name!r} is {spec.dtype}, for which the protocol has no datatype; "
            "ask it under /models/NAME/predict"
        )
    return name


def element_bytes(datatype: str) -> int:
    """How many bytes an element takes; of BYTES, that is told by each."""
    return _SIZES[datatype]


def from_raw(
    data: memoryview, datatype: str, shape: Sequence[int], what: str, allowance: Allowance
) -> Array:
    """The tensor that ``data`` holds, little-endian, row after row: a view of it where it can be.

    Strings are an object array of bytes, as many as ``allowance`` has left; BF16 becomes float32.
    Raises BadBody if the size is another than that of ``shape``, and TooLarge.
    """
    elements = elements_of(shape, what)
    if datatype == "BYTES":
        return _strings(data, elements, what, allowance).reshape(tuple(shape))
    size = _SIZES[datatype]
    if len(data) != elements * size:
        raise BadBody(
            f"unexpected total byte size {len(data)} for {what}, expecting {elements * size}"
        )
    if datatype == "BF16":
        return from_bits(np.frombuffer(data, "<u2")).reshape(tuple(shape))
    if datatype == "BOOL":
        # A byte that is neither 0 nor 1 is no bool for those who compute with it.
        return np.not_equal(np.frombuffer(data, np.uint8), 0).reshape(tuple(shape))
    return np.frombuffer(data, _dtype(datatype)).reshape(tuple(shape))


def _dtype(datatype: str) -> np.dtype[Any]:
    kind = {"F": "f", "U": "u", "I": "i"}[datatype[0]]
    return np.dtype(f"<{kind}{_SIZES[datatype]}")


def _strings(data: memoryview, elements: int, what: str, allowance: Allowance) -> Array:
    # Each has a length of four bytes, whatever else is announced.
    if elements * _LENGTH.size > len(data):
        raise BadBody(f"incorrect number of string elements: {what} has fewer than {elements}")
    allowance.take(elements, what)
    array = np.empty(elements, object)
    at, end = 0, len(data)
    try:
        for index in range(elements):
            (size,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size + size
            if at > end:
                raise BadBody(f"incomplete string data for {what}: element {index} runs past it")
            array[index] = bytes_of(data[at - size : at])
    except struct.error:
        raise BadBody(f"incomplete string length indicator for {what}") from None
    if at != end:
        raise BadBody(
            f"unexpected number of string elements for {what}: {end - at} bytes are left over"
        )
    return array


def _strings_written(values: Array) -> bytes:
    return b"".join([part for each in values for part in (_LENGTH.pack(len(each)), each)])


def to_raw(array: Array, datatype: str) -> bytes | memoryview:
    """The bytes of a tensor: those of the array itself, where they are what is to be sent."""
    if datatype == "BYTES":
        return b"".join(map(_strings_written, pieces(array.ravel())))
    if datatype == "BF16":
        array = to_bits(array)
    if array.nbytes <= _SMALL_BYTES:
        return array.tobytes()
    plain = array if array.flags.c_contiguous else array.copy()
    return plain.reshape(-1).view(np.uint8).data
