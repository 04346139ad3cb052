"""Arrays are written as nested lists, whatever their dtype, shape and size."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.json.pieces import dumped
from tfaas_plugins.protocols.json_arrays import elements_written, fragment, written

from tfaas_core.tensors import Array

SHAPES = [(), (0,), (3,), (2, 0), (2, 3), (40_000,), (3, 33_000), (2, 20_000, 2), (1, 1, 1)]
DTYPES = ["float16", "float32", "float64", "int8", "int64", "uint64", "bool"]
ODD = [np.nan, np.inf, -np.inf, -0.0]


def array_of(dtype: str, shape: tuple[int, ...], odd: bool) -> Array:
    dice = np.random.default_rng(7)
    array = dice.integers(0, 120, shape).astype(dtype)
    if array.dtype.kind == "f":
        array = (array / 7).astype(dtype)
        if odd and array.size:
            places = dice.integers(0, array.size, 50)
            array.reshape(-1)[places] = dice.choice(ODD, 50).astype(dtype)
    return array


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("odd", [False, True])
def test_what_is_written_is_what_was_there(dtype: str, shape: tuple[int, ...], odd: bool) -> None:
    array = array_of(dtype, shape, odd)
    found = np.array(json.loads(written(array))).astype(dtype)
    assert found.shape == shape
    assert np.array_equal(found, array, equal_nan=array.dtype.kind == "f")
    if shape:
        elements = [json.loads(text) for text in elements_written(array)]
        assert np.array_equal(
            np.array(elements).astype(dtype).reshape(shape), array, array.dtype.kind == "f"
        )


def test_numbers_have_the_fewest_digits() -> None:
    for dtype in ("float16", "float32", "float64"):
        assert written(np.array([0.1, 2], dtype)) == b"[0.1,2.0]"
        assert written(np.array([0.1, np.nan, -np.inf], dtype)) == b"[0.1,NaN,-Infinity]"


def test_what_is_not_contiguous_is_written_in_its_order() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert json.loads(written(array.T)) == array.T.tolist()
    assert json.loads(written(array[:, ::2])) == array[:, ::2].tolist()


def test_strings_are_written_by_their_text() -> None:
    array = np.array([[b"null", b'"'], [b"NaN", "é".encode()]], object)
    assert json.loads(written(array)) == [["null", '"'], ["NaN", "é"]]

    def size(value: bytes) -> Any:
        return {"bytes": len(value)}

    assert json.loads(written(array[0], size)) == [{"bytes": 4}, {"bytes": 1}]
    assert [json.loads(text) for text in elements_written(array[1])] == ["NaN", "é"]
    with pytest.raises(UnicodeDecodeError):
        written(np.array([b"\xff"], object))


def test_a_document_may_have_arrays_in_it() -> None:
    document = {"null": "NaN", "data": fragment(np.array([np.nan, 1], np.float32))}
    assert dumped(document) == b'{"null":"NaN","data":[NaN,1.0]}'
