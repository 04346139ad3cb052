"""Levels become the numbers that they stand for, wherever that is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.engine.engines import engine, upload_and_find
from tests.core.engine.shared.test_frames import are_same, frames_of
from tfaas_core.engine.shared.frames import decode_request, encode_request, values_of_request
from tfaas_core.engine.shared.slots import LEAST_BYTES, SharedSlots, new_slots
from tfaas_core.errors import DoesNotFit
from tfaas_core.levels import ALIGNED_BYTES, Levels, as_numbers, joined_numbers
from tfaas_core.predict.predictor import fitted
from tfaas_core.tensors import Array, Bound, TensorSpec
from tfaas_core.testing.engine_harness import is_sum
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version

ALL = np.arange(256, dtype=np.uint8).reshape(32, 8)
SCALES = {"none": (1.0, 0.0), "0-1": (255.0, 0.0), "-1-1": (127.5, 1.0)}


def expected(values: Array, dtype: str, scale: str) -> Array:
    numbers = values.astype(dtype)
    if scale == "0-1":
        numbers /= 255
    if scale == "-1-1":
        numbers /= 127.5
        numbers -= 1
    return numbers


def levels(values: Array = ALL, scale: str = "-1-1", dtype: str = "float32") -> Levels:
    return Levels.of(values, np.dtype(dtype), *SCALES[scale])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_all_of_them_are_the_same_bits_in_parts_and_joined(scale: str, dtype: str) -> None:
    one, whole = levels(ALL, scale, dtype), expected(ALL, dtype, scale)
    numbers = one.numbers()
    assert are_same(numbers, whole)
    assert numbers.__array_interface__["data"][0] % ALIGNED_BYTES == 0
    assert are_same(as_numbers([one[3:5]])[0], whole[3:5])
    assert are_same(joined_numbers([one[:2], whole[2:3], one[3:]]), whole)
    assert are_same(as_numbers([whole, one])[1], whole)


@pytest.mark.parametrize("rows", [1, LEAST_BYTES // 8])
def test_they_go_to_a_models_process_as_bytes(rows: int) -> None:
    """Beside others of their scale; beside anything else, as numbers."""
    own, spec = np.resize(ALL, (rows, 8)), TensorSpec("x", "float32", (None, 8))
    memory = new_slots()
    writer = SharedSlots(os.dup(memory), is_servable=False).writer
    reader = SharedSlots(memory, is_servable=True).reader
    cases: list[tuple[list[Any], int]] = [
        ([levels(own)], 1),
        ([levels(own), levels(ALL)], 1),
        ([levels(own), levels(ALL, "0-1")], 4),
        ([levels(own), levels(ALL).numbers()], 4),
    ]
    for parts, size in cases:
        counts = [len(part) for part in parts]
        for slots in (None, writer):
            sent = encode_request(7, 1.5, counts, [[part] for part in parts], [spec], slots=slots)
            if slots is None:
                assert 0 <= len(sent) - 8 * sum(counts) * size < 100
            (frame,) = frames_of(sent)
            request = decode_request(frame, [spec], values_of_request(frame, reader))
            assert are_same(as_numbers(request.inputs)[0], joined_numbers(parts))


def test_they_fit_where_the_numbers_do() -> None:
    signature = model_version([TensorSpec("x", "float32", (None, 8))]).signature
    bound = Bound({"x": levels()}, 32, False)
    (kept,) = fitted(signature, bound, 100, keeps_levels=True)
    assert kept is bound.arrays["x"]
    (numbers,) = fitted(signature, bound, 100)
    assert are_same(numbers, expected(ALL, "float32", "-1-1"))
    with pytest.raises(DoesNotFit):
        fitted(signature, Bound({"x": levels(dtype="float64")}, 32, False), 100)
    with pytest.raises(DoesNotFit):
        fitted(signature, Bound({"x": ALL}, 32, False), 100)


@in_event_loop
async def test_a_model_runs_on_the_numbers_alone_and_beside_others(tmp_path: Path) -> None:
    async with engine(tmp_path) as harness:
        version, _process = await upload_and_find(harness.worker, "vk", "sum")
        shape = version.signature.inputs[0].shape
        assert shape is not None
        values = np.resize(ALL, (9, *(size or 1 for size in shape[1:])))
        sent = [levels(values[:4]), levels(values[4:5]), levels(values[5:]).numbers()]
        answers = await harness.worker.run_all(version, sent)
        for one, answer in zip(sent, answers, strict=True):
            assert not isinstance(answer, BaseException)
            assert is_sum(answer, as_numbers([one])[0])
