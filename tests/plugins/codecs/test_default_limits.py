"""What bodies may hold by default: what clients of the original TFaaS send, and more."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from tfaas_plugins.codecs.json.codec import JsonCodec
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec

from tfaas_core.errors import TooLarge
from tfaas_core.route import Head
from tfaas_core.tensors import TensorSpec
from tfaas_core.testing.models import model_version

PICTURE = (224, 224, 3)


def bound_rows(values: Any, shape: tuple[int, ...]) -> int:
    """How many rows a model of rows of this shape gets of a JSON body."""
    codec = JsonCodec()
    body = json.dumps({"values": values}).encode()
    version = model_version([TensorSpec("x", "float32", (None, *shape))])
    return codec.bind(codec.parse(body, Head(content_type="application/json")), version).rows


def random(*shape: int) -> Any:
    return np.random.default_rng(1).random(shape).round(6).tolist()


def test_twenty_thousand_rows_of_a_physics_model_are_taken_at_once() -> None:
    for rows in (1, 1000, 20_000):
        assert bound_rows(random(rows, 42), (42,)) == rows


def test_a_picture_in_nested_lists_is_taken() -> None:
    assert bound_rows(random(1, *PICTURE), PICTURE) == 1


def test_of_two_the_answer_says_how_to_send_them() -> None:
    with pytest.raises(TooLarge, match="send fewer at a time, or arrays by MessagePack, packed"):
        bound_rows(random(2, *PICTURE), PICTURE)


def test_thirty_two_pictures_are_taken_as_a_packed_array() -> None:
    pictures = np.zeros((32, *PICTURE), np.float32)
    packed = {"dtype": "<f4", "shape": pictures.shape, "data": pictures.tobytes()}
    body = msgspec.msgpack.encode({"values": packed})
    codec = MsgpackCodec()
    version = model_version([TensorSpec("x", "float32", (None, *PICTURE))])
    document = codec.parse(body, Head(content_type="application/msgpack"))
    assert codec.bind(document, version).rows == 32
