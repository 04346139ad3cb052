"""What the JSON codec costs: one row, and a batch beside the least that reading it takes."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tfaas_plugins.codecs.json.codec import JsonCodec

from tfaas_core.route import Head
from tfaas_core.tensors import Array, Bound, TensorSpec
from tfaas_core.testing.models import model_version

_VERSION = model_version([TensorSpec("x", "float32", (None, 42))])
_RANDOM = np.random.default_rng(1)
_ROW = orjson.dumps({"values": _RANDOM.normal(size=42).tolist(), "model": "vk"})
_SIZES = [10, 100, 1000, 10_000]


@pytest.mark.benchmark(group="json: one row of 42")
def test_parse_bind_and_encode(benchmark: BenchmarkFixture) -> None:
    codec = JsonCodec()
    outputs = {"y": np.array([[0.5]], np.float32)}

    def answer() -> bytes:
        document = codec.parse(_ROW, Head.of_type("application/json"))
        bound = codec.bind(document, _VERSION)
        return codec.encode(outputs, bound, document, _VERSION).body

    assert benchmark(answer) == b"[0.5]"


@pytest.mark.benchmark(group="json: rows of 42")
@pytest.mark.parametrize("rows", _SIZES)
def test_parse_and_bind(benchmark: BenchmarkFixture, rows: int) -> None:
    codec, batch = JsonCodec(), _batch(rows)

    def read() -> Bound:
        return codec.bind(codec.parse(batch, Head.of_type("application/json")), _VERSION)

    assert benchmark(read).arrays["x"].shape == (rows, 42)


@pytest.mark.benchmark(group="json: rows of 42")
@pytest.mark.parametrize("rows", _SIZES)
def test_orjson_loads_and_np_array(benchmark: BenchmarkFixture, rows: int) -> None:
    batch = _batch(rows)

    def read() -> Array:
        return np.array(orjson.loads(batch)["values"], np.float32)

    assert benchmark(read).shape == (rows, 42)


def _batch(rows: int) -> bytes:
    return orjson.dumps({"values": _RANDOM.normal(size=(rows, 42)).tolist(), "model": "vk"})
