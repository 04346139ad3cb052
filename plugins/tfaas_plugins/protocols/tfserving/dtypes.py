"""The dtypes of TensorProto: their names and numbers, and the fields that hold their values."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tfaas_core.tensors import NUMPY_DTYPES, TensorSpec
from tfaas_plugins.protocols.private_pool import private_pool
from tfaas_plugins.wire import FIXED32, FIXED64, LENGTH, VARINT

FIRST_REFERENCE = 100
"""Old exports declare references to tensors, whose numbers are higher by as much."""


class ValuesField(msgspec.Struct, frozen=True):
    """A field of TensorProto. ``kind``: of each value, if they are not packed."""

    name: str
    number: int
    kind: int


class Dtype(msgspec.Struct, frozen=True):
    """``array``: of arrays of it; bfloat16 is float32 there. ``item``: of ``tensor_content``."""

    name: str
    number: int
    field: ValuesField
    array: np.dtype[Any]
    item: np.dtype[Any]

    @property
    def is_bfloat16(self) -> bool:
        """Whether arrays are wider than what is sent."""
        return self.name == "DT_BFLOAT16"

    @property
    def is_string(self) -> bool:
        """Whether arrays are of objects: bytes."""
        return self.field.kind == LENGTH


_INTEGERS = ValuesField("int_val", 7, VARINT)
_BITS = ValuesField("half_val", 13, VARINT)
_SERVED = {
    "float32": ("DT_FLOAT", 1, ValuesField("float_val", 5, FIXED32)),
    "float64": ("DT_DOUBLE", 2, ValuesField("double_val", 6, FIXED64)),
    "int32": ("DT_INT32", 3, _INTEGERS),
    "uint8": ("DT_UINT8", 4, _INTEGERS),
    "int16": ("DT_INT16", 5, _INTEGERS),
    "int8": ("DT_INT8", 6, _INTEGERS),
    "string": ("DT_STRING", 7, ValuesField("string_val", 8, LENGTH)),
    "complex64": ("DT_COMPLEX64", 8, ValuesField("scomplex_val", 9, FIXED32)),
    "int64": ("DT_INT64", 9, ValuesField("int64_val", 10, VARINT)),
    "bool": ("DT_BOOL", 10, ValuesField("bool_val", 11, VARINT)),
    "bfloat16": ("DT_BFLOAT16", 14, _BITS),
    "uint16": ("DT_UINT16", 17, _INTEGERS),
    "complex128": ("DT_COMPLEX128", 18, ValuesField("dcomplex_val", 12, FIXED64)),
    "float16": ("DT_HALF", 19, _BITS),
    "uint32": ("DT_UINT32", 22, ValuesField("uint32_val", 16, VARINT)),
    "uint64": ("DT_UINT64", 23, ValuesField("uint64_val", 17, VARINT)),
}


def _dtype(dtype: str, name: str, number: int, field: ValuesField) -> Dtype:
    array = NUMPY_DTYPES["float32" if dtype == "bfloat16" else dtype]
    item = np.dtype("<u2") if dtype == "bfloat16" else array.newbyteorder("<")
    return Dtype(name, number, field, array, item)


_DTYPES = {dtype: _dtype(dtype, *row) for dtype, row in _SERVED.items()}

BY_NUMBER = {dtype.number: dtype for dtype in _DTYPES.values()}
"""All that are served."""

VALUES_FIELDS = {dtype.field.number: dtype.field for dtype in _DTYPES.values()}
"""All fields of values, by their numbers."""


def dtype_of(spec: TensorSpec) -> Dtype:
    """That of an input or output."""
    return _DTYPES[spec.carried or spec.dtype]


def dtype_name(number: int) -> str:
    """The name of the dtype of this number, served or not; of no known one, the number."""
    values = private_pool().FindEnumTypeByName("tensorflow.DataType").values_by_number
    return str(values[number].name) if number in values else f"dtype {number}"
