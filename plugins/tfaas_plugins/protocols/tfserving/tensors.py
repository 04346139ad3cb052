"""The body of a predict request, in row or in column format, as arrays; and outputs as JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from orjson import Fragment

from tfaas_core.errors import BadBody
from tfaas_core.tensors import Array, Arrays, Signature, TensorSpec
from tfaas_core.values.pieces import joined_bytes, kinds, pieces
from tfaas_plugins.codecs.json.pieces import MOST_AT_ONCE, Pieces, dumped
from tfaas_plugins.codecs.json.places import ANY, Places
from tfaas_plugins.codecs.values.number_lists import NumberLists
from tfaas_plugins.protocols.json_arrays import TextOf, elements_written, fragment
from tfaas_plugins.protocols.json_values import (
    Flat,
    Ragged,
    WrongValue,
    array_of,
    flat,
    is_base64,
    numbers_of,
    tensor_of,
)
from tfaas_plugins.protocols.tfserving.number_rows import numbers_within, stacked

NUMBERS = Places(("instances",), ("instances", ANY, ANY), ("inputs",), ("inputs", ANY))
"""Where in a request there may be many numbers."""

_BYTES_SUFFIX = "_bytes"
_ROWS_AT_ONCE = 256


class Values(msgspec.Struct, frozen=True):
    """A request's arrays by name. ``rows``: of the row format, how many; None: by columns."""

    arrays: Arrays
    rows: int | None


def values_of(document: dict[str, Any], signature: Signature) -> Values:
    """What ``instances`` or ``inputs`` of a request hold. Raises BadBody in the server's words."""
    if "instances" in document:
        if "inputs" in document:
            raise BadBody(
                "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to"
                " exist in JSON object."
            )
        return _rows(document["instances"], signature)
    if "inputs" not in document:
        raise BadBody("Missing 'inputs' or 'instances' key")
    return Values(_columns(document["inputs"], signature), None)


def _is_object(value: Any) -> bool:
    return type(value) is dict and not is_base64(value)


# Rows.


def _rows(instances: Any, signature: Signature) -> Values:
    if isinstance(instances, NumberLists):
        if len(signature.inputs) + len(signature.unused) == 1:
            (spec,) = signature.inputs
            array = numbers_of(instances, spec.numpy_dtype)
            if array is not None:
                return Values({spec.name: array}, len(array))
        instances = instances.lists()  # what is wrong with them is told in its words
    if type(instances) is not list:
        raise BadBody("Expecting 'instances' to be an list/array")
    if not instances:
        raise BadBody("No values in 'instances' array")
    if _is_object(instances[0]):
        if (numbers := numbers_within(instances)) is not None:
            found = stacked(_named_rows(instances, signature), signature)
            if found is not None:
                return Values(found, len(instances))
            # What is wrong with them is told in its words.
            instances = numbers.read(numbers.body)["instances"]
        columns = _named_rows(instances, signature)
        arrays = {
            spec.name: _column(columns[spec.name], spec, named=True)
            for spec in signature.inputs
            if spec.name in columns
        }
        return Values(arrays, len(instances))
    if len(signature.inputs) + len(signature.unused) != 1:
        raise BadBody(
            "instances is a plain list, but expecting list of objects as multiple input tensors"
            " required as per tensorinfo_map"
        )
    if dict in kinds(instances):
        for index, value in enumerate(instances):
            if _is_object(value):
                raise BadBody(f"Expecting value/list but got object at item {index} of input list")
    (spec,) = signature.inputs
    return Values({spec.name: _column(instances, spec, named=False)}, len(instances))


def _named_rows(instances: list[Any], signature: Signature) -> dict[str, list[Any]]:
    """The values of each input; those that have a default, and those not needed, may be missing."""
    names = instances[0].keys()
    needed = {spec.name for spec in signature.inputs if spec.default is None}
    known = {spec.name for spec in signature.inputs} | set(signature.unused)
    for index, row in enumerate(instances):
        if not _is_object(row):
            kind = "list" if type(row) is list else "value"
            raise BadBody(f"Expecting object but got {kind} at item {index} of input list")
        if not needed <= row.keys() <= known or row.keys() != names:
            missing = sorted((needed | names) - row.keys())
            what = f"JSON object: does not have named input: {missing[0]}" if missing else ""
            expected = ",".join(sorted(needed))
            raise BadBody(
                f"Failed to process element: {index} of 'instances' list. Error: INVALID_ARGUMENT:"
                f" JSON object keys must be equal to: {expected}{'. ' if what else ''}{what}"
            )
    return {name: [row[name] for row in instances] for name in names}


def _column(values: list[Any], spec: TensorSpec, named: bool) -> Array:
    """The rows' values of one input, or what is wrong with the first of them that is."""
    try:
        return array_of(flat(values), spec.numpy_dtype)
    except (Ragged, WrongValue) as error:
        key = f" key: {spec.name}" if named else ""
        index, text = _first_wrong(values, spec, str(error))
        raise BadBody(
            f"Failed to process element: {index}{key} of 'instances' list. Error:"
            f" INVALID_ARGUMENT: {text}"
        ) from None


def _first_wrong(values: list[Any], spec: TensorSpec, otherwise: str) -> tuple[int, str]:
    shape: tuple[int, ...] | None = None
    for start in range(0, len(values), _ROWS_AT_ONCE):
        several = values[start : start + _ROWS_AT_ONCE]
        if shape is not None and _are_right(several, shape, spec):
            continue
        for index, value in enumerate(several, start):
            try:
                found = flat(value)
                array_of(found, spec.numpy_dtype)
            except (Ragged, WrongValue) as error:
                return index, str(error)
            if shape is None:
                shape = found.shape
            elif shape != found.shape:
                return index, _other_size(shape, found)
    return 0, otherwise


def _are_right(values: list[Any], shape: tuple[int, ...], spec: TensorSpec) -> bool:
    """Whether none of them is wrong. False says nothing of those that are nested deepest."""
    try:
        found = flat(values)
        array_of(found, spec.numpy_dtype)
    except (Ragged, WrongValue):
        return False
    return found.shape[1:] == shape


def _other_size(shape: tuple[int, ...], found: Flat) -> str:
    size = int(np.prod(shape, dtype=object))
    if size != len(found.values):
        return f"Expecting tensor size: {size} but got: {len(found.values)}"
    return f"Expecting shape {list(shape)} but got: {list(found.shape)}"


# Columns.


def _columns(inputs: Any, signature: Signature) -> dict[str, Array]:
    if not _is_object(inputs):
        if len(signature.inputs) + len(signature.unused) != 1:
            raise BadBody(
                "inputs is a plain value/list, but expecting an object as multiple input tensors"
                " required as per tensorinfo_map"
            )
        inputs = {signature.inputs[0].name: inputs}
    arrays = {}
    for spec in signature.inputs:
        if spec.name not in inputs:
            if spec.default is not None:
                continue
            raise BadBody(f"Missing named input: {spec.name} in 'inputs' object.")
        try:
            arrays[spec.name] = tensor_of(inputs[spec.name], spec.numpy_dtype)
        except (Ragged, WrongValue) as error:
            raise BadBody(str(error)) from None
    return arrays


# Answers.


def rows_answer(outputs: Arrays) -> bytes:
    """``{"predictions": [...]}``. Raises BadBody if the outputs are no rows of one batch."""
    sizes: dict[str, int] = {}
    for name, array in outputs.items():
        if not array.ndim:
            raise BadBody(f"Tensor name: {name} has no shape information ")
        sizes[name] = len(array)
    expected = next(iter(sizes.values()), 0)
    for name, size in sizes.items():
        if size != expected:
            raise BadBody(
                f"Tensor name: {name} has inconsistent batch size: {size} expecting: {expected}"
            )
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        return dumped({"predictions": _fragment(name, array)})
    if all(array.size <= MOST_AT_ONCE for array in outputs.values()):
        return b'{"predictions":[%b]}' % _rows_written(outputs)
    return joined_bytes([b'{"predictions":[', *_row_parts(outputs, expected), b"]}"])


def _row_parts(outputs: Arrays, rows: int) -> Iterator[bytes]:
    """So many rows at a time that none of the outputs has too many elements in them."""
    largest = max(array.size for array in outputs.values()) // rows
    for some in pieces(range(rows), MOST_AT_ONCE // largest or 1):
        if some.start:
            yield b","
        if largest > MOST_AT_ONCE:
            (row,) = some
            yield dumped({name: _fragment(name, each[row]) for name, each in outputs.items()})
        else:
            span = slice(some.start, some.stop)
            yield _rows_written({name: each[span] for name, each in outputs.items()})


def _rows_written(outputs: Arrays) -> bytes:
    """All rows, with commas between them."""
    keys = [dumped(name) for name in outputs]
    columns = [_elements(name, array) for name, array in outputs.items()]
    rows = (
        b",".join(b"%b:%b" % field for field in zip(keys, row, strict=True))
        for row in zip(*columns, strict=True)
    )
    return b",".join(b"{%b}" % row for row in rows)


def columns_answer(outputs: Arrays) -> bytes:
    """``{"outputs": ...}``."""
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        return dumped({"outputs": _fragment(name, array)})
    return dumped({"outputs": {name: _fragment(name, array) for name, array in outputs.items()}})


def _fragment(name: str, array: Array) -> Fragment | Pieces:
    return fragment(_shown(array), _text_of(name))


def _elements(name: str, array: Array) -> list[bytes]:
    return elements_written(_shown(array), _text_of(name))


def _shown(array: Array) -> Array:
    if array.dtype.kind == "c":
        raise BadBody(f"Failed to write JSON value for tensor type: {array.dtype.name}")
    return array


def _text_of(name: str) -> TextOf:
    return _base64 if name.endswith(_BYTES_SUFFIX) else _text


def _text(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:  # raw, it would break the answer
        return _base64(value)


def _base64(value: bytes) -> dict[str, str]:
    return {"b64": b64encode(value).decode()}
