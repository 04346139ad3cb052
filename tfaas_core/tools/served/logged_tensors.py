"""Tensors of logged requests, as JSON spells them."""

from __future__ import annotations

import base64
import math
from typing import Any

import msgspec
import numpy as np

from tfaas_core.tensors import Array
from tfaas_core.texts.json_text import MAX_ITEMS

_MOST_AXES = 32


class UnusableTensor(Exception):
    """A tensor that is not what it says, or that no JSON holds."""


class _Kind(msgspec.Struct, frozen=True):
    """How a tensor of some dtype is written: as ``stored`` values, ``per_value`` of them for each.

    ``field`` has them, unless they are all in ``tensor_content``.
    """

    field: str
    stored: str
    result: str
    per_value: int = 1


_KINDS = {
    1: _Kind("float_val", "float32", "float32"),
    2: _Kind("double_val", "float64", "float64"),
    3: _Kind("int_val", "int32", "int32"),
    4: _Kind("int_val", "uint8", "uint8"),
    5: _Kind("int_val", "int16", "int16"),
    6: _Kind("int_val", "int8", "int8"),
    7: _Kind("string_val", "object", "object"),
    8: _Kind("scomplex_val", "float32", "float32", per_value=2),
    9: _Kind("int64_val", "int64", "int64"),
    10: _Kind("bool_val", "bool", "bool"),
    14: _Kind("half_val", "uint16", "bfloat16"),
    17: _Kind("int_val", "uint16", "uint16"),
    18: _Kind("dcomplex_val", "float64", "float64", per_value=2),
    19: _Kind("half_val", "uint16", "float16"),
    22: _Kind("uint32_val", "uint32", "uint32"),
    23: _Kind("uint64_val", "uint64", "uint64"),
}
"""By TensorFlow's numbers of dtypes. Complex numbers are pairs, and of half floats there are the
bits."""


def json_of_tensor(tensor: Any) -> Any:
    """The values of a TensorProto as nested lists, or one value. Raises UnusableTensor."""
    kind = _KINDS.get(tensor.dtype)
    if kind is None:
        raise UnusableTensor(f"its dtype is TensorFlow's number {tensor.dtype}")
    shape = tuple(dimension.size for dimension in tensor.tensor_shape.dim)
    if len(shape) > _MOST_AXES:
        raise UnusableTensor(f"it has {len(shape)} axes")
    if min(shape, default=0) < 0 or math.prod(max(size, 1) for size in shape) > MAX_ITEMS:
        raise UnusableTensor(f"its shape is {list(shape)}, with more values than an example holds")
    if kind.per_value > 1:
        shape = (*shape, kind.per_value)
    try:
        values = _values(tensor, kind, math.prod(shape))
    except (OverflowError, ValueError, TypeError):
        raise UnusableTensor("its values are not of its dtype") from None
    if kind.result == "object":
        return _with_texts(values.reshape(shape))
    return _decoded(values, kind.result).reshape(shape).tolist()


def json_of_examples(examples: list[bytes]) -> list[Any]:
    """Serialized Examples, as a model takes them."""
    return [_text(example) for example in examples]


def _values(tensor: Any, kind: _Kind, count: int) -> Array:
    if tensor.tensor_content:
        if kind.stored == "object":
            raise ValueError
        values = np.frombuffer(tensor.tensor_content, kind.stored)
    else:
        listed = list(getattr(tensor, kind.field))
        if len(listed) > count or (count and not listed):
            raise ValueError
        # The last one stands for all that are missing.
        values = np.empty(count, kind.stored)
        values[: len(listed)] = listed
        values[len(listed) :] = listed[-1] if listed else 0
    if len(values) != count:
        raise ValueError
    return values


def _decoded(values: Array, dtype: str) -> Array:
    if dtype == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.view(dtype)


def _with_texts(array: Array) -> Any:
    texts = np.empty(array.shape, object)
    texts.reshape(-1)[:] = [_text(value) for value in array.reshape(-1)]
    return texts.tolist()


def _text(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}
