"""The body of an infer request, JSON and binary tensors behind it, read and held to a signature."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, TensorSpec
from tfaas_plugins.protocols.json_values import (
    Flat,
    Ragged,
    WrongValue,
    array_of,
    leaves,
    shown,
)
from tfaas_plugins.protocols.oip.datatypes import (
    DATATYPES,
    datatype_of,
    from_raw,
)
from tfaas_plugins.protocols.shapes import elements_of

_LIMITS = Limits()
_SCALARS = (str, int, float, bool)
_MOST_INPUTS = 4096
_DIMENSION = 1 << 63
_LONGEST_US = (1 << 64) - 1
"""The largest that the protocol holds, and no float is too small for."""


class WantedOutput(msgspec.Struct, frozen=True):
    """An output that is asked for. ``classes``: how many of the highest values, 0: all as it is."""

    name: str
    binary: bool
    classes: int = 0


class InferBody(msgspec.Struct, frozen=True):
    """What an infer request says, as far as that needs no model.

    ``inputs`` are objects as they came; ``tails`` are the binary tensors, by the input's place.
    ``outputs`` None: all are wanted, ``binary`` says how. ``max_strings``: so many are read of a
    binary tensor.
    """

    id: str | None
    parameters: Mapping[str, Any]
    inputs: Sequence[dict[str, Any]]
    outputs: Sequence[WantedOutput] | None
    binary: bool
    tails: Mapping[int, memoryview]
    max_strings: int

    @property
    def timeout_s(self) -> float | None:
        """What the parameter ``timeout`` says, in microseconds there; None: nothing."""
        timeout = self.parameters.get("timeout")
        if type(timeout) is not int or timeout <= 0:
            return None
        return min(timeout, _LONGEST_US) / 1e6

    @property
    def signature(self) -> str | None:
        """The signature that the parameter ``signature_name`` names: TFaaS's own addition."""
        name = self.parameters.get("signature_name")
        if name is not None and type(name) is not str:
            raise BadBody("the parameter 'signature_name' is no string")
        return name or None

    def wanted(self, version: ModelVersion) -> Sequence[WantedOutput]:
        """The outputs that are asked for: those of the signature, if none is named."""
        if self.outputs is not None:
            return self.outputs
        return [WantedOutput(spec.name, self.binary) for spec in version.signature.outputs]


def check_count(inputs: int) -> None:
    """Raises BadBody if a request has too many inputs."""
    if inputs > _MOST_INPUTS:
        raise BadBody(f"the request has {inputs} inputs, at most {_MOST_INPUTS} are read")


def check_keys(parameters: Iterable[str], allowed: str = "") -> None:
    """Raises BadBody if a parameter of a request, other than ``allowed``, has a reserved name."""
    for key in parameters:
        if key.startswith("triton_") and key != allowed:
            raise BadBody(f"parameter keys starting with 'triton_' are reserved, got {key[:80]!r}")


def infer_body(document: Any, tail: memoryview, limits: Limits = _LIMITS) -> InferBody:
    """Reads a request; ``tail`` is what stands behind its JSON. Raises BadBody."""
    if type(document) is not dict:
        raise BadBody("the request is not a JSON object")
    request_id = document.get("id")
    if request_id is not None and type(request_id) is not str:
        raise BadBody("Unable to parse 'id': expected a string")
    parameters = _parameters(document, "the request")
    check_keys(parameters)
    binary = _flag(parameters, "binary_data_output")
    inputs = document.get("inputs")
    if type(inputs) is not list or not all(type(each) is dict for each in inputs):
        raise BadBody("Unable to parse 'inputs': expected a list of objects")
    check_count(len(inputs))
    outputs = _outputs(document.get("outputs"), binary)
    tails = _tails(inputs, tail)
    return InferBody(request_id, parameters, inputs, outputs, binary, tails, limits.max_values)


def _parameters(owner: dict[str, Any], what: str) -> dict[str, Any]:
    parameters = owner.get("parameters")
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise BadBody(f"Unable to parse 'parameters' of {what}: expected an object")
    for key, value in parameters.items():
        if type(value) not in _SCALARS:
            raise BadBody(f"the parameter {key[:80]!r} of {what} is no string, number or boolean")
    return parameters


def _flag(parameters: Mapping[str, Any], name: str, otherwise: bool = False) -> bool:
    value = parameters.get(name, otherwise)
    if type(value) is not bool:
        raise BadBody(f"the parameter {name!r} is no boolean")
    return value


def _outputs(outputs: Any, binary: bool) -> list[WantedOutput] | None:
    if outputs is None or outputs == []:
        return None
    if type(outputs) is not list or not all(type(each) is dict for each in outputs):
        raise BadBody("Unable to parse 'outputs': expected a list of objects")
    return [_output(each, binary) for each in outputs]


def _output(output: dict[str, Any], binary: bool) -> WantedOutput:
    name = output.get("name")
    if type(name) is not str:
        raise BadBody("Unable to parse 'outputs': each needs a 'name', a string")
    parameters = _parameters(output, f"output {name[:80]!r}")
    check_no_shared_memory(parameters, f"output {name[:80]!r}")
    classes = parameters.get("classification", 0)
    if type(classes) is not int or classes < 0:
        raise BadBody(f"'classification' of output {name[:80]!r} is no whole number above 0")
    return WantedOutput(name, _flag(parameters, "binary_data", binary), classes)


def check_no_shared_memory(parameters: Iterable[str], what: str) -> None:
    """Raises BadBody if the values of ``what`` are not in the request."""
    if any(key.startswith("shared_memory") for key in parameters):
        raise BadBody(f"{what} is in shared memory, which this server does not support")


def _tails(inputs: Sequence[dict[str, Any]], tail: memoryview) -> dict[int, memoryview]:
    """The part of ``tail`` that each input announces."""
    found, at = {}, 0
    for place, each in enumerate(inputs):
        name = _name(each)
        parameters = _parameters(each, f"input {name[:80]!r}")
        check_no_shared_memory(parameters, f"input {name[:80]!r}")
        size = parameters.get("binary_data_size")
        if size is None:
            continue
        if type(size) is not int or size < 0:
            raise BadBody(f"'binary_data_size' of input {name[:80]!r} is no size in bytes")
        if at + size > len(tail):
            missing = at + size - len(tail)
            raise BadBody(
                f"unexpected size for input {name[:80]!r}, expecting {missing} additional bytes"
            )
        found[place] = tail[at : at + size]
        at += size
    if at != len(tail):
        raise BadBody(f"unexpected additional input data: {len(tail) - at} bytes")
    return found


def _name(each: dict[str, Any]) -> str:
    name = each.get("name")
    if type(name) is not str:
        raise BadBody("Unable to parse 'inputs': each needs a 'name', a string")
    return name


# With a model.


def arrays_of(body: InferBody, version: ModelVersion) -> dict[str, Array]:
    """The inputs as arrays, held to the signature. Raises BadBody for what it has not."""
    signature, model = version.signature, version.name
    specs = {spec.name: spec for spec in signature.inputs}
    arrays: dict[str, Array] = {}
    for place, each in enumerate(body.inputs):
        name = _name(each)
        if name in arrays:
            raise BadBody(f"input {name[:80]!r} is sent twice")
        spec = specs.get(name)
        if spec is None:
            if name in signature.unused:
                continue
            raise BadBody(f"unexpected inference input {name[:80]!r} for model {model!r}")
        tail = body.tails.get(place)
        if tail is not None and each.get("datatype") == "BYTES":
            _check_strings(each.get("shape"), body.max_strings, name)
        arrays[name] = _array(each, spec, tail, model)
    needed = [spec.name for spec in signature.inputs if spec.default is None]
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise BadBody(
            f"expected {len(specs)} inputs but got {len(arrays)} inputs for model {model!r}. Got "
            f"input(s) {list(arrays)}, but missing required input(s) {missing}"
        )
    return arrays


def _check_strings(shape: Any, most: int, name: str) -> None:
    """Raises TooLarge: each becomes an object."""
    if elements_of(_shape(shape, name), f"the shape of input {name!r}") > most:
        raise TooLarge(
            f"input {name!r} has more than {most} strings (limits.max_values); send fewer at a "
            "time",
            expected=most,
        )


def _array(each: dict[str, Any], spec: TensorSpec, tail: memoryview | None, model: str) -> Array:
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
        return from_raw(tail, datatype, shape, f"input {name!r}")
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
    if spec.carried == "bfloat16":
        return _rounded_to_bfloat16(array)
    return array


def _rounded_to_bfloat16(array: Array) -> Array:
    """Float32 values that are rounded once, here, and not cut off later."""
    bits = array.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    kept = np.where(np.isfinite(array), rounded, bits) & np.uint32(0xFFFF0000)
    return kept.astype(np.uint32).view(np.float32)
