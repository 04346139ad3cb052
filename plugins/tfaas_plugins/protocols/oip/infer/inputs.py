"""The inputs of an infer request, held to a signature: arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfaas_core.errors import BadBody
from tfaas_core.models.model import ModelVersion
from tfaas_core.notes import noted
from tfaas_core.tensors import Array, TensorSpec
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.codecs.values.number_lists import NumberLists
from tfaas_plugins.protocols.json_values import (
    Flat,
    Ragged,
    WrongValue,
    array_of,
    leaves,
    numbers_of,
    shown,
)
from tfaas_plugins.protocols.oip.datatypes import (
    DATATYPES,
    datatype_of,
    from_raw,
)
from tfaas_plugins.protocols.oip.infer.input_forms import InputForms
from tfaas_plugins.protocols.oip.infer.requests import InferBody, input_name
from tfaas_plugins.protocols.shapes import elements_of

_DIMENSION = 1 << 63


def arrays_of(body: InferBody, version: ModelVersion, allowance: Allowance) -> dict[str, Array]:
    """The inputs as arrays, held to the signature. Raises BadBody for what it has not.

    ``allowance``: of strings in binary tensors; JSON's were counted. Raises TooLarge beyond it.
    """
    forms, model = noted(version, InputForms), version.name
    arrays: dict[str, Array] = {}
    for place, each in enumerate(body.inputs):
        name = input_name(each)
        if name in arrays:
            raise BadBody(f"input {name[:80]!r} is sent twice")
        form = forms.by_name.get(name)
        if form is None:
            if name in version.signature.unused:
                continue
            raise BadBody(f"unexpected inference input {name[:80]!r} for model {model!r}")
        tail = body.tails.get(place)
        arrays[name] = _array(each, form.spec, tail, model, allowance)
    if not forms.needed <= arrays.keys():
        missing = [name for name in forms.needed if name not in arrays]
        raise BadBody(
            f"expected {len(forms.by_name)} inputs but got {len(arrays)} inputs for model "
            f"{model!r}. Got input(s) {list(arrays)}, but missing required input(s) {missing}"
        )
    return arrays


def _array(
    each: dict[str, Any],
    spec: TensorSpec,
    tail: memoryview | None,
    model: str,
    allowance: Allowance,
) -> Array:
    name, datatype = spec.name, each.get("datatype")
    if type(datatype) is not str or datatype not in DATATYPES:
        raise BadBody(f"invalid datatype for input {name!r}: {shown(datatype)[:80]}")
    expected = datatype_of(spec)
    if datatype != expected:
        raise BadBody(
            f"inference input {name!r} data-type is {datatype!r}, but model {model!r} expects "
            f"{expected!r}"
        )
    shape = _shape(each.get("shape"), name)
    _check_shape(shape, spec, model)
    if (tail is None) is ("data" not in each):
        raise BadBody(
            f"Input must set only one of the following fields: 'data', 'binary_data_size' in "
            f"'parameters'. For input {name!r}"
        )
    if tail is not None:
        return from_raw(tail, datatype, shape, f"input {name!r}", allowance)
    return _from_json(each["data"], shape, spec)


def _shape(shape: Any, name: str) -> tuple[int, ...]:
    if type(shape) is not list or not all(type(size) is int for size in shape):
        raise BadBody(f"Unable to parse 'shape' of input {name!r}: expected a list of integers")
    if any(size >= _DIMENSION for size in shape):
        raise BadBody(f"the shape of input {name!r} exceeds the maximum size of a dimension")
    elements_of(shape, f"the shape of input {name!r}")
    return tuple(shape)


def _check_shape(shape: tuple[int, ...], spec: TensorSpec, model: str) -> None:
    declared = spec.shape
    if declared is None:
        return
    fits = len(shape) == len(declared) and all(
        wanted in (None, size) for size, wanted in zip(shape, declared, strict=True)
    )
    if not fits:
        wanted = [-1 if size is None else size for size in declared]
        raise BadBody(
            f"unexpected shape for input {spec.name!r} for model {model!r}. Expected {wanted}, "
            f"got {list(shape)[:32]}"
        )


def _from_json(data: Any, shape: tuple[int, ...], spec: TensorSpec) -> Array:
    name = spec.name
    if isinstance(data, NumberLists):
        array = numbers_of(data, spec.numpy_dtype)
        if array is not None and array.size == math.prod(shape):
            return _carried(array.reshape(shape), spec)
        data = data.lists()  # what is wrong with them is told in its words
    if type(data) is not list:
        raise BadBody(f"Unable to parse 'data' of input {name!r}: expected a list")
    elements = elements_of(shape, f"the shape of input {name!r}")
    try:
        values = leaves(data)
        if len(values) != elements:
            raise BadBody(
                f"Shape does not match true shape of 'data' field of input {name!r}: it has "
                f"{len(values)} elements, the shape {list(shape)[:32]} has {elements}"
            )
        if spec.numpy_dtype.kind == "f" and None in values:
            values = [float("nan") if value is None else value for value in values]
        array = array_of(Flat(shape, values), spec.numpy_dtype)
    except (Ragged, WrongValue) as error:
        raise BadBody(f"Unable to parse 'data' of input {name!r}: {error}") from None
    return _carried(array, spec)


def _carried(array: Array, spec: TensorSpec) -> Array:
    return _rounded_to_bfloat16(array) if spec.carried == "bfloat16" else array


def _rounded_to_bfloat16(array: Array) -> Array:
    """Float32 values that are rounded once, here, and not cut off later."""
    bits = array.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    kept = np.where(np.isfinite(array), rounded, bits) & np.uint32(0xFFFF0000)
    return kept.astype(np.uint32).view(np.float32)
