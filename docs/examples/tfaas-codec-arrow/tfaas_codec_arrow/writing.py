"""Outputs as a stream of Arrow."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from math import prod

import msgspec
import numpy as np
import pyarrow as pa

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, Arrays, BatchAxis

_BYTES_OF_A_PIECE = 1 << 20
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


class _Column(msgspec.Struct, frozen=True):
    """A column's name, and its values: axis 0 is that of the rows."""

    name: str
    values: Array


def pieces(outputs: Arrays, version: ModelVersion) -> Generator[bytes]:
    """The schema, batches of about a megabyte, and the end.

    Outputs of fewer rows than others, constant ones among them, are null in the rows below.
    """
    columns = list(_columns(outputs, version))
    kinds = [_arrow(column.values[:0]).type for column in columns]
    named = zip(columns, kinds, strict=True)
    schema = pa.schema([(column.name, kind) for column, kind in named])
    yield schema.serialize().to_pybytes()
    rows = max(len(column.values) for column in columns)
    step = max(1, _BYTES_OF_A_PIECE * rows // max(1, sum(_bytes(c.values) for c in columns)))
    for start in range(0, rows, step):
        count = min(step, rows - start)
        arrays = [_filled(_arrow(c.values[start : start + count]), count) for c in columns]
        yield pa.record_batch(arrays, schema=schema).serialize().to_pybytes()
    yield _END


def _columns(outputs: Arrays, version: ModelVersion) -> Iterator[_Column]:
    """A column for each output; or for each label, if an output has as many numbers."""
    specs, labels = version.signature.outputs, version.labels
    batched = version.signature.batch is not BatchAxis.NONE
    for spec in specs:
        values = np.ascontiguousarray(outputs[spec.name])
        if not batched or spec.constant or not outputs[spec.name].ndim:
            values = values.reshape(1, *outputs[spec.name].shape)
        numbers = prod(values.shape[1:])
        if numbers == len(labels) and numbers and all(labels) and len(set(labels)) == numbers:
            flat = values.reshape(len(values), numbers)
            for index, label in enumerate(labels):
                name = label if len(specs) == 1 else f"{spec.name}_{label}"
                yield _Column(name, flat[:, index])
        elif numbers == 1:
            yield _Column(spec.name, values.reshape(len(values)))
        else:
            yield _Column(spec.name, values)


def _arrow(values: Array) -> pa.Array:
    """Lists of fixed sizes for all axes but the first; a complex number is a list of two."""
    if values.dtype.kind == "c":
        values = np.stack([values.real, values.imag], -1)
    flat = values.reshape(-1)
    array = pa.array(flat.tolist(), pa.binary()) if flat.dtype == object else pa.array(flat)
    shape = values.shape
    for axis in range(len(shape) - 1, 0, -1):
        # By their number: that of lists of size 0 does not follow from the values.
        kind, length = pa.list_(array.type, shape[axis]), prod(shape[:axis])
        array = pa.Array.from_buffers(kind, length, [None], children=[array])
    return array


def _filled(array: pa.Array, rows: int) -> pa.Array:
    missing = rows - len(array)
    return pa.concat_arrays([array, pa.nulls(missing, array.type)]) if missing else array


def _bytes(values: Array) -> int:
    if values.dtype != object:
        return values.nbytes
    return values.nbytes + sum(map(len, values.reshape(-1).tolist()))
