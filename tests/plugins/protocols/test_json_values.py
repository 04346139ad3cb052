"""JSON's nested lists as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tfaas_plugins.protocols.json_values import Flat, Ragged, WrongValue, array_of, flat


@pytest.mark.parametrize(
    ("value", "shape", "values"),
    [
        (5, (), [5]),
        ([], (0,), []),
        ([[], []], (2, 0), []),
        ([[1, 2], [3, 4]], (2, 2), [1, 2, 3, 4]),
        ([[{"b64": ""}]], (1, 1), [{"b64": ""}]),
    ],
)
def test_the_shape_is_read_along_the_first_elements(value: Any, shape: Any, values: Any) -> None:
    assert flat(value) == Flat(shape, values)


@pytest.mark.parametrize("value", [[1, [2]], [[1], 2], [[1], [2, 3]], [[[1]], [2]], [[], [1]]])
def test_what_is_ragged_is_refused(value: Any) -> None:
    with pytest.raises(Ragged):
        flat(value)


@pytest.mark.parametrize("depth", [33, 70, 500])
@pytest.mark.parametrize("value", [1, "a", []])
def test_what_is_nested_absurdly_deep_is_refused(value: Any, depth: int) -> None:
    for _ in range(depth):
        value = [value]
    with pytest.raises(Ragged):
        flat(value)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("float32", [1, 2.5, -(10**30)]),
        ("int64", [2**63 - 1, -(2**63)]),
        ("uint64", [2**64 - 1]),
        ("uint8", [0, 255]),
        ("bool", [True]),
    ],
)
def test_each_dtype_takes_what_it_holds(dtype: str, values: list[Any]) -> None:
    array = array_of(flat(values), np.dtype(dtype))
    assert array.dtype == dtype
    assert array.tolist() == np.array(values, dtype).tolist()


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("float32", ["1"]),
        ("float32", [True]),
        ("float32", [10**400]),
        ("int64", [1.0]),
        ("int64", [2**63]),
        ("int64", [True]),
        ("uint64", [-1]),
        ("uint8", [256]),
        ("int8", [-129]),
        ("bool", [1]),
        ("complex64", [1]),
        ("O", [1]),
        ("O", ["\ud800"]),
        ("O", [{"b64": "@"}]),
        ("O", [{"b64": 1}]),
        ("O", [{"b64": "", "x": 1}]),
    ],
)
def test_what_a_dtype_does_not_hold_is_refused(dtype: str, values: list[Any]) -> None:
    with pytest.raises(WrongValue):
        array_of(flat(values), np.dtype(dtype))


def test_base64_may_lack_its_padding_and_have_spaces() -> None:
    array = array_of(flat([{"b64": "AP8"}, {"b64": "A P\n8="}]), np.dtype(object))
    assert array.tolist() == [b"\0\xff", b"\0\xff"]
