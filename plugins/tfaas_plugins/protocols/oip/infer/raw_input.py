"""Raw requests: the whole body is the one input, and all outputs are wanted binary."""

from __future__ import annotations

import math

import numpy as np

from tfaas_core.errors import BadBody
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.oip.datatypes import datatype_of, element_bytes, from_raw
from tfaas_plugins.protocols.oip.infer.requests import InferBody


def raw_input(
    body: bytes, version: ModelVersion, allowance: Allowance
) -> tuple[InferBody, dict[str, Array]]:
    """What a raw request asks, and its array. Raises BadBody if the size tells no shape."""
    inputs, model = version.signature.inputs, version.name
    if len(inputs) != 1:
        raise BadBody(
            f"Raw request must only have 1 input (found {len(inputs)}) to be deduced but got "
            f"{len(inputs)} inputs in {model!r} model"
        )
    (spec,) = inputs
    datatype, shape = datatype_of(spec), spec.shape
    asked = InferBody(None, {}, (), None, True, {})
    if shape is None or shape.count(None) > 1:
        raise BadBody(f"the shape of input {spec.name!r} cannot be deduced from a raw request")
    if datatype == "BYTES":
        if tuple(size or 1 for size in shape) != (1,):
            raise BadBody(
                f"For BYTE datatype raw input {spec.name!r}, the model must have input shape [1]"
            )
        array = np.empty(1, object)
        array[0] = body
        return asked, {spec.name: array}
    known = math.prod(size for size in shape if size is not None) * element_bytes(datatype)
    free = len(body) // known if known else 0
    full = [free if size is None else size for size in shape]
    array = from_raw(memoryview(body), datatype, full, f"input {spec.name!r}", allowance)
    return asked, {spec.name: array}
