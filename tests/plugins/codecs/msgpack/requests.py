"""Requests to the msgpack codec, in one call each, and the versions that they are for."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec

from tests.plugins.codecs.versions import VK, checked
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Bound

encode = msgspec.msgpack.encode
decode = msgspec.msgpack.decode


def packed(values: Any, dtype: str = "<f4") -> dict[str, Any]:
    array = np.asarray(values).astype(dtype)
    return {"dtype": dtype, "shape": list(array.shape), "data": array.tobytes()}


def unpacked(fields: dict[str, Any]) -> Array:
    array: Array = np.frombuffer(fields["data"], fields["dtype"]).reshape(fields["shape"])
    return array


def bind(document: Any, version: ModelVersion = VK) -> Bound:
    codec = MsgpackCodec()
    body = document if isinstance(document, bytes) else encode(document)
    bound = codec.bind(codec.parse(body, Head.of_type("application/msgpack")), version)
    checked(bound, version)
    return bound


def array(document: Any, version: ModelVersion = VK) -> Array:
    (only,) = bind(document, version).arrays.values()
    return only


def refusal(document: Any, version: ModelVersion = VK) -> DoesNotFit:
    with pytest.raises(DoesNotFit) as caught:
        bind(document, version)
    assert caught.value.status == 422
    assert caught.value.message.isprintable()
    msgspec.json.encode(caught.value.document())
    return caught.value


def answer(version: ModelVersion, single: bool, *outputs: Array, request: Any = None) -> bytes:
    codec = MsgpackCodec()
    bound = Bound({}, 1 if single else 2, single)
    named = {s.name: o for s, o in zip(version.signature.outputs, outputs, strict=True)}
    document = codec.parse(encode({"values": request}), Head())
    encoded = codec.encode(named, bound, document, version)
    assert encoded.media_type == "application/msgpack"
    return encoded.body
