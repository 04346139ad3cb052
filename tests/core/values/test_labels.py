"""Answers as rows of numbers, and their labels."""

from __future__ import annotations

import numpy as np
import pytest

from tfaas_core.values.labels import flat_rows, labels_of


@pytest.mark.parametrize(
    ("shape", "batched", "expected"),
    [
        ((2, 3), True, (2, 3)),
        ((2,), True, (2, 1)),
        ((2, 3, 4), True, (2, 12)),
        ((0, 3, 4), True, (0, 12)),
        ((2, 3), False, (1, 6)),
        ((), True, (1, 1)),
        ((), False, (1, 1)),
    ],
)
def test_an_output_is_rows_of_numbers(
    shape: tuple[int, ...], batched: bool, expected: tuple[int, ...]
) -> None:
    assert flat_rows(np.zeros(shape), batched).shape == expected


def test_labels_go_as_far_as_they_do() -> None:
    assert labels_of(3, ("a", "b"), alone=True) == ["a", "b", ""]
    assert labels_of(1, ("a", "b"), alone=True) == ["a"]
    assert labels_of(2, (), alone=True) == ["", ""]


def test_of_several_outputs_those_have_labels_that_have_as_many_numbers() -> None:
    assert labels_of(3, ("a", "b"), alone=False) == ["", "", ""]
    assert labels_of(2, ("a", "b"), alone=False) == ["a", "b"]
