"""What the types of Arrow are to a model."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import types


def is_number(kind: pa.DataType) -> bool:
    """Whether values of this type are integers or floats."""
    return bool(types.is_integer(kind) or types.is_floating(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether they are text or binary."""
    is_small = types.is_string(kind) or types.is_binary(kind)
    return bool(is_small or types.is_large_string(kind) or types.is_large_binary(kind))


def is_text_view(kind: pa.DataType) -> bool:
    """Whether they are views of text or binary, of which several may be of the same bytes."""
    return kind in (pa.string_view(), pa.binary_view())


def is_list(kind: pa.DataType) -> bool:
    """Whether they are lists."""
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def innermost(kind: pa.DataType) -> pa.DataType:
    """The type of the values in the innermost lists; the type itself if it is no list."""
    while is_list(kind):
        kind = kind.value_type
    return kind
