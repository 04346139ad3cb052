"""What the frames between an HTTP worker and a model process cost."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tfaas_core.engine.shared.frames import (
    FrameBuffer,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from tfaas_core.tensors import Array, TensorSpec

_INPUTS = [TensorSpec("x", "float32", (None, 42))]
_OUTPUTS = [TensorSpec("y", "float32", (None, 1))]
_SIZES = [
    pytest.param([1], id="1 part"),
    pytest.param([1] * 32, id="32 parts"),
    pytest.param([1000], id="1 part of 1000 rows"),
]


def _parts(part_rows: list[int]) -> list[list[Array]]:
    return [[np.ones((rows, 42), np.float32)] for rows in part_rows]


def _body(frame: bytes) -> bytes:
    (body,) = FrameBuffer().feed(frame)
    return body


@pytest.mark.benchmark(group="frames")
@pytest.mark.parametrize("part_rows", _SIZES)
def test_encode_request(benchmark: BenchmarkFixture, part_rows: list[int]) -> None:
    frame = benchmark(encode_request, 1, 1.0, part_rows, _parts(part_rows), _INPUTS)
    assert decode_request(_body(frame), _INPUTS).part_rows == part_rows


@pytest.mark.benchmark(group="frames")
@pytest.mark.parametrize("part_rows", _SIZES)
def test_decode_request(benchmark: BenchmarkFixture, part_rows: list[int]) -> None:
    body = _body(encode_request(1, 1.0, part_rows, _parts(part_rows), _INPUTS))
    assert benchmark(decode_request, body, _INPUTS).rows == sum(part_rows)


@pytest.mark.benchmark(group="frames")
@pytest.mark.parametrize("part_rows", _SIZES)
def test_encode_answer(benchmark: BenchmarkFixture, part_rows: list[int]) -> None:
    outputs = [np.ones((sum(part_rows), 1), np.float32)]
    frame = benchmark(encode_answer, 1, 0, len(part_rows), outputs, _OUTPUTS)
    assert decode_answer(_body(frame), _OUTPUTS).parts == len(part_rows)


@pytest.mark.benchmark(group="frames")
@pytest.mark.parametrize("part_rows", _SIZES)
def test_decode_answer(benchmark: BenchmarkFixture, part_rows: list[int]) -> None:
    outputs = [np.ones((sum(part_rows), 1), np.float32)]
    body = _body(encode_answer(1, 0, len(part_rows), outputs, _OUTPUTS))
    assert benchmark(decode_answer, body, _OUTPUTS).outputs[0].shape == (sum(part_rows), 1)
