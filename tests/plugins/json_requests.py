"""Requests to the JSON codec, in one call each, and the versions that they are for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codec_json import JsonCodec

from tfaas_core.errors import DoesNotFit
from tfaas_core.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec, conform
from tfaas_core.testing.models import model_version


def taking(
    dtype: str = "float32",
    shape: Sequence[int | None] | None = (None, 2),
    batch: BatchAxis = BatchAxis.FREE,
    **params: Any,
) -> ModelVersion:
    size = None if shape is None else tuple(shape)
    return model_version([TensorSpec("x", dtype, size)], batch=batch, params=params)


def giving(*outputs: TensorSpec, batch: BatchAxis = BatchAxis.FREE) -> ModelVersion:
    return model_version(outputs=outputs, batch=batch)


VK = taking()
VK_3 = taking(features=["a", "b", "c"], shape=(None, 3))
TWO_INPUTS = model_version(
    [TensorSpec("x", "float32", (None, 2)), TensorSpec("y", "float32", (None, 1))]
)


def bind(body: bytes | dict[str, Any], version: ModelVersion = VK) -> Bound:
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    codec = JsonCodec()
    bound = codec.bind(codec.parse(body, "application/json"), version)
    conform(version.signature, bound)
    return bound


def array(body: bytes | dict[str, Any], version: ModelVersion = VK) -> Array:
    (only,) = bind(body, version).arrays.values()
    return only


def refusal(body: bytes | dict[str, Any], version: ModelVersion = VK) -> DoesNotFit:
    with pytest.raises(DoesNotFit) as caught:
        bind(body, version)
    assert caught.value.status == 422
    json.dumps(caught.value.document())
    return caught.value


def answer(version: ModelVersion, single: bool, *outputs: Array) -> bytes:
    codec = JsonCodec()
    bound = Bound({}, 1 if single else 2, single)
    named = {s.name: o for s, o in zip(version.signature.outputs, outputs, strict=True)}
    encoded = codec.encode(named, bound, codec.parse(b'{"values": []}', ""), version)
    assert encoded.media_type == "application/json"
    return encoded.body


def f32(values: Any) -> Array:
    return np.array(values, np.float32)


ROW_OF_2 = "a list of 2 numbers, or a list of such lists for a batch"
"""What messages say that the model VK takes."""

INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
"""The least and the largest value of each dtype."""
