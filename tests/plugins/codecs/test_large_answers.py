"""Large answers of the codecs that write them in pieces."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from tfaas_plugins.codecs.json.codec import JsonCodec
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec

from tfaas_core.codec import Codec
from tfaas_core.tensors import Bound, TensorSpec
from tfaas_core.testing.models import model_version


@pytest.mark.parametrize("codec", [JsonCodec(), MsgpackCodec()], ids=lambda codec: codec.name)
def test_large_outputs_are_written_in_pieces_of_the_same_bytes(codec: Codec[Any]) -> None:
    values = np.arange(300_000, dtype=np.float32).reshape(1000, 300)
    several = {"x": values, "y": np.array([[1.5]] * 1000)}
    specs = [TensorSpec("x", "float32", (None, 300)), TensorSpec("y", "float64", (None, 1))]
    for outputs in ({"x": values}, several):
        version = model_version(outputs=specs[: len(outputs)])
        encoded = codec.encode_other(outputs, Bound({}, 1000, False), version)
        assert encoded.pieces is not None
        pieces = list(encoded.pieces)
        assert max(map(len, pieces)) < 2 << 20
        read = read_answer(codec, b"".join(pieces))
        named = read if len(outputs) > 1 else {"x": read}
        for name, array in outputs.items():
            np.testing.assert_array_equal(named[name], array)


def read_answer(codec: Codec[Any], body: bytes) -> Any:
    return (msgspec.json if codec.name == "json" else msgspec.msgpack).decode(body)
