"""Rows of numbers, made to fit a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, TensorSpec, conform
from tfaas_core.testing.models import model_version
from tfaas_core.values.number_rows import NumberRows


def taking(
    dtype: str = "float32",
    shape: Sequence[int | None] | None = (None, 2),
    batch: BatchAxis = BatchAxis.FREE,
    **params: Any,
) -> ModelVersion:
    size = None if shape is None else tuple(shape)
    return model_version([TensorSpec("x", dtype, size)], batch=batch, params=params)


def bound(version: ModelVersion, rows: object, names: Sequence[str] | None = None) -> Array:
    """What the model gets of the rows, which conforms to its signature."""
    numbers = np.array(rows)
    found = NumberRows(version).bind(numbers, len(numbers) == 1, names)
    (array,) = conform(version.signature, found)
    assert array.flags.c_contiguous
    return array


def refusal(version: ModelVersion, rows: object, names: Sequence[str] | None = None) -> str:
    with pytest.raises(DoesNotFit) as caught:
        bound(version, rows, names)
    return caught.value.message


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint64"])
@pytest.mark.parametrize("sent", [np.int64, np.float64, np.float32])
def test_numbers_of_any_dtype_become_the_models(dtype: str, sent: type) -> None:
    array = bound(taking(dtype), np.array([[1, 2], [3, 4]], sent))
    assert (array.dtype, array.tolist()) == (np.dtype(dtype), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("shape", "columns", "expected"),
    [
        ((None, None), 3, (2, 3)),
        (None, 3, (2, 3)),
        ((None, 2, 2), 4, (2, 2, 2)),
        ((None,), 1, (2,)),
        ((None, 1, None), 1, None),
    ],
)
def test_a_row_is_flat_and_gets_the_models_shape(
    shape: Sequence[int | None] | None, columns: int, expected: tuple[int, ...] | None
) -> None:
    version, rows = taking(shape=shape), np.ones((2, columns))
    if expected is None:
        assert refusal(version, rows) == "model 'vk' takes shape [1, ?], a row of numbers is flat"
    else:
        assert bound(version, rows).shape == expected


def test_columns_are_put_into_the_order_of_the_features() -> None:
    version = taking(features=["a", "b"])
    assert bound(version, [[1, 2], [3, 4]], ["b", "a"]).tolist() == [[2, 1], [4, 3]]
    assert bound(version, [[1, 2]], ["a", "b"]).tolist() == [[1, 2]]
    assert bound(version, [[1, 2]]).tolist() == [[1, 2]]
    assert refusal(version, [[1, 2]], ["b", "c"]).startswith("key 'a' is missing")
    assert refusal(version, [[1]], ["a", "b"]) == "names names 2 columns, each row has 1"


def test_the_place_of_a_number_is_the_one_that_was_sent() -> None:
    version = taking("int8", features=["a", "b"])
    message = refusal(version, [[1, 2], [3, 300]], ["b", "a"])
    assert message == "row 1, column 1 is 300, model 'vk' takes integers from -128 to 127"


@pytest.mark.parametrize(
    ("dtype", "number", "got"),
    [
        ("float32", 1e300, "1e+300"),
        ("float32", np.inf, "infinite"),
        ("int32", 2.5, "2.5"),
        ("int32", np.nan, "NaN"),
        ("uint8", -1, "-1"),
        ("uint64", 2.0**64, "1.8446744073709552e+19"),
    ],
)
def test_a_number_that_the_dtype_cannot_hold_is_refused(
    dtype: str, number: float, got: str
) -> None:
    assert refusal(taking(dtype), [[0, number]]).startswith(f"row 0, column 1 is {got}, model 'vk'")


def test_nan_is_taken_where_the_params_accept_it() -> None:
    assert refusal(taking(), [[0, np.nan]]).endswith(
        '; "nan": "accept" in the params lets floats be NaN'
    )
    assert np.isnan(bound(taking(nan="accept"), [[0, np.nan]])).tolist() == [[False, True]]
    assert "NaN" in refusal(taking("int32", nan="accept"), [[0, np.nan]])


def test_a_batch_without_rows_runs_alone() -> None:
    for shape, expected in (((None, 2), (0, 2)), ((None, None), (0, 1)), (None, (0, 1))):
        found = NumberRows(taking(shape=shape)).bind(np.zeros((0, 0)), False)
        assert (found.rows, found.single, found.whole) == (0, False, True)
        assert found.arrays["x"].shape == expected


def test_a_model_without_a_batch_axis_takes_one_row() -> None:
    version = taking(shape=(2, 2), batch=BatchAxis.NONE)
    found = NumberRows(version).bind(np.ones((1, 4)), False)
    assert (found.arrays["x"].shape, found.rows, found.single) == ((2, 2), 1, True)
    assert refusal(version, np.ones((2, 4))) == "model 'vk' takes no batches, send one row"


def test_what_takes_no_rows_of_numbers_says_so() -> None:
    assert refusal(taking("string"), [[1, 2]]) == "model 'vk' takes string, no rows of numbers"
    two = model_version([TensorSpec("x", "float32", (None, 2)), TensorSpec("y", "int8", (None,))])
    assert refusal(two, [[1, 2]]) == "model 'vk' takes 2 inputs, a row of numbers is for one"
    assert refusal(taking(), [[1, 2, 3]]) == "a row has 3 numbers, model 'vk' takes 2"
