from __future__ import annotations

from typing import Any

import pytest

from tfaas_core.predict.mismatch import mismatch


def differs(expected: Any, got: Any, tolerance: float = 1e-4) -> str:
    """What is said of the model's one output ``y``; empty: it is the expected one."""
    return str(mismatch(expected, got, ["y"], tolerance) or "")


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ([1.0], [1.00009]),
        ([0.0], [-0.00009]),
        ([1], [1.0]),
        ([20_000.0], [20_001.9]),
        ([-20_000.0], [-20_001.9]),
        ([1e308], [1e308]),
        ([10**400], [10**400]),
        ([None, 1], [None, 1]),
        (["a", True, {"b64": "/w=="}], ["a", True, {"b64": "/w=="}]),
        ([], []),
        ([[], []], [[], []]),
        ([[[1], [2]]], [[[1], [2]]]),
    ],
)
def test_what_is_within_the_tolerance_is_the_same(expected: Any, got: Any) -> None:
    assert differs(expected, got) == ""


@pytest.mark.parametrize(
    ("expected", "got", "words"),
    [
        ([1.0], [1.00011], " at [0]: expected 1.0, got 1.00011"),
        ([0.0], [0.00011], " at [0]: expected 0.0, got 0.00011"),
        ([1, 20_000.0], [1, 20_002.1], " at [1]: expected 20000.0, got 20002.1"),
        ([[1, 2], [3, 4]], [[1, 2], [5, 6]], " at [1, 0]: expected 3, got 5"),
        ([1e308], [-1e308], " at [0]: expected 1e+308, got -1e+308"),
        ([None], [0], " at [0]: expected null, got 0"),
        ([0], [None], " at [0]: expected 0, got null"),
        (["a"], ["A"], ' at [0]: expected "a", got "A"'),
        (["1"], [1], ' at [0]: expected "1", got 1'),
        ([True], [False], " at [0]: expected true, got false"),
        ([1], [True], " at [0]: expected 1, got true"),
        ([False], [0], " at [0]: expected false, got 0"),
        ([{"b64": "/w=="}], ["x"], ' at [0]: expected {"b64": "/w=="}, got "x"'),
        ([1, 2], [1], ": expected shape [2], got shape [1]"),
        ([1, 2], [[1, 2]], ": expected shape [2], got shape [1, 2]"),
        ([[1, 2]], [1, 2], ": expected shape [1, 2], got shape [2]"),
        ([[1], []], [[1], [2]], ": expected ragged lists, got shape [2, 1]"),
        ([[1], 2], [[1], [2]], ": expected ragged lists, got shape [2, 1]"),
        ({"y": [1]}, [1], ": expected an object of 'y', got shape [1]"),
    ],
)
def test_the_first_difference_is_told(expected: Any, got: Any, words: str) -> None:
    assert differs(expected, got) == f"output 'y'{words}"


def test_the_tolerance_is_the_callers() -> None:
    assert differs([10.0], [10.9], 0.1) == ""
    assert differs([10.0], [11.1], 0.1)
    assert differs([0.1], [0.1], 0) == ""
    assert differs([0.1], [0.10000000000000002], 0)
    assert differs([10**400], [1.0], 1e-4)


def test_long_values_are_cut() -> None:
    found = mismatch(["x" * 10_000], ["y"], ["y"], 0)
    assert found is not None
    assert len(str(found)) < 200
    assert (found.index, found.got) == ((0,), "y")


def test_several_outputs_are_compared_by_name() -> None:
    answer = {"a": [1.0], "b": [[2.0]]}
    assert mismatch({"b": [[2.0]], "a": [1.0]}, answer, ["a", "b"], 0) is None
    found = mismatch({"a": [1.0], "b": [[2.5]]}, answer, ["a", "b"], 0.1)
    assert str(found) == "output 'b' at [0, 0]: expected 2.5, got 2.0"
    for wrong, form in (
        ({"a": [1.0]}, "an object of 'a'"),
        ({"a": [1.0], "b": [[2.0]], "c": []}, "an object of 'a', 'b', 'c'"),
        ([1.0], "shape [1]"),
    ):
        found = mismatch(wrong, answer, ["a", "b"], 0)
        assert str(found) == f"the answer: expected {form}, got an object of 'a', 'b'"
