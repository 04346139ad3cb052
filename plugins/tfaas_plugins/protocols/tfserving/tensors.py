"""The body of a predict request, in row or in column format, as arrays; and outputs as JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from tfaas_core.errors import BadBody
from tfaas_core.tensors import Array, Arrays, Signature, TensorSpec
from tfaas_plugins.protocols.json_text import dumped, is_finite, with_tokens, writable
from tfaas_plugins.protocols.json_values import (
    Flat,
    Ragged,
    WrongValue,
    array_of,
    flat,
    is_base64,
)

_BYTES_SUFFIX = "_bytes"


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
    if type(instances) is not list:
        raise BadBody("Expecting 'instances' to be an list/array")
    if not instances:
        raise BadBody("No values in 'instances' array")
    if _is_object(instances[0]):
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
    if dict in set(map(type, instances)):
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
    for index, value in enumerate(values):
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
            arrays[spec.name] = array_of(flat(inputs[spec.name]), spec.numpy_dtype)
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
    written = _written(outputs)
    if len(written) == 1:
        (predictions,) = written.values()
    else:
        predictions = [
            dict(zip(written, row, strict=True)) for row in zip(*written.values(), strict=True)
        ]
    return _dumped({"predictions": predictions}, outputs)


def columns_answer(outputs: Arrays) -> bytes:
    """``{"outputs": ...}``."""
    written = _written(outputs)
    answer: Any = written
    if len(written) == 1:
        (answer,) = written.values()
    return _dumped({"outputs": answer}, outputs)


def _dumped(document: dict[str, Any], outputs: Arrays) -> bytes:
    if all(map(is_finite, outputs.values())):
        return dumped(document)
    return with_tokens(document)


def _written(outputs: Arrays) -> Mapping[str, Any]:
    return {name: _shown(name, array) for name, array in outputs.items()}


def _shown(name: str, array: Array) -> Any:
    if array.dtype == object:
        texts = np.empty(array.size, object)
        texts[:] = _texts(name, array.ravel())
        return texts.reshape(array.shape).tolist()
    if array.dtype.kind == "c":
        raise BadBody(f"Failed to write JSON value for tensor type: {array.dtype.name}")
    written = writable(array)
    # A bare number is none of those that orjson takes for an array.
    return written if written.ndim and array.size else written.tolist()


def _texts(name: str, values: Iterable[bytes]) -> list[Any]:
    if name.endswith(_BYTES_SUFFIX):
        return [_base64(value) for value in values]
    return [_text(value) for value in values]


def _text(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:  # raw, it would break the answer
        return _base64(value)


def _base64(value: bytes) -> dict[str, str]:
    return {"b64": b64encode(value).decode()}
