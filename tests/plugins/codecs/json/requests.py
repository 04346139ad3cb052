"""Requests to the JSON codec, in one call each, and the versions that they are for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tfaas_plugins.codecs.json.codec import JsonCodec

from tests.plugins.codecs.versions import VK, checked
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Bound


def bind(body: bytes | dict[str, Any], version: ModelVersion = VK) -> Bound:
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    codec = JsonCodec()
    bound = codec.bind(codec.parse(body, Head.of_type("application/json")), version)
    checked(bound, version)
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
    encoded = codec.encode(named, bound, codec.parse(b'{"values": []}', Head()), version)
    assert encoded.media_type == "application/json"
    return encoded.body


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
