from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tfaas_core.errors import DoesNotFit
from tfaas_core.tensors import (
    NUMPY_DTYPES,
    BatchAxis,
    Bound,
    Signature,
    TensorSpec,
    conform,
    show_shape,
)


def signature(*inputs: TensorSpec, batch: BatchAxis = BatchAxis.FREE) -> Signature:
    return Signature(inputs, (TensorSpec("out", "float32", (None, 1)),), batch)


def spec(
    *shape: int | None, name: str = "x", dtype: str = "float32", rank_known: bool = True
) -> TensorSpec:
    return TensorSpec(name, dtype, shape if rank_known else None)


def bound(rows: int, **shapes: tuple[int, ...]) -> Bound:
    return Bound({k: np.zeros(v, np.float32) for k, v in shapes.items()}, rows, rows == 1)


def fits(wanted: Signature, sent: Bound) -> bool:
    try:
        conform(wanted, sent)
    except DoesNotFit:
        return False
    return True


class TestConform:
    def test_arrays_come_in_the_order_of_the_signature(self) -> None:
        sent = bound(2, b=(2, 3), a=(2, 1))
        ordered = conform(signature(spec(None, 1, name="a"), spec(None, 3, name="b")), sent)
        assert [array is sent.arrays[name] for array, name in zip(ordered, "ab", strict=True)] == [
            True,
            True,
        ]

    @pytest.mark.parametrize(
        ("shape", "sent", "expected"),
        [
            ((None, 2), (3, 2), True),
            ((None, 2), (2, 2), False),
            ((None, 2), (4, 2), False),
            ((None, 2), (3, 3), False),
            ((None, 2), (3,), False),
            ((None, 2), (3, 2, 1), False),
            ((None, None, 2), (3, 7, 2), True),
            ((None, None, 2), (3, 0, 2), True),
            ((None,), (3,), True),
            ((1, 2), (3, 2), True),
        ],
    )
    def test_with_a_batch_axis_axis_0_is_the_rows(
        self, shape: tuple[int | None, ...], sent: tuple[int, ...], expected: bool
    ) -> None:
        for batch in (BatchAxis.FREE, BatchAxis.ONE):
            assert fits(signature(spec(*shape), batch=batch), bound(3, x=sent)) is expected

    @pytest.mark.parametrize(
        ("shape", "sent", "expected"),
        [
            ((3, 2), (3, 2), True),
            ((None, 2), (7, 2), True),
            ((3, 2), (1, 2), False),
            ((), (), True),
            ((), (1,), False),
        ],
    )
    def test_without_one_the_whole_shape_is_compared(
        self, shape: tuple[int | None, ...], sent: tuple[int, ...], expected: bool
    ) -> None:
        wanted = signature(spec(*shape), batch=BatchAxis.NONE)
        assert fits(wanted, bound(1, x=sent)) is expected

    @pytest.mark.parametrize("sent", [(), (3,), (3, 4, 5)])
    def test_an_unknown_rank_takes_every_shape(self, sent: tuple[int, ...]) -> None:
        wanted = signature(spec(rank_known=False), batch=BatchAxis.NONE)
        assert fits(wanted, bound(1, x=sent))

    def test_the_dtype_must_be_the_very_same(self) -> None:
        for name, dtype in NUMPY_DTYPES.items():
            sent = Bound({"x": np.zeros((1, 2), dtype)}, 1, True)
            for wanted in NUMPY_DTYPES:
                assert fits(signature(spec(None, 2, dtype=wanted)), sent) is (wanted == name)

    @pytest.mark.parametrize(
        ("sent", "message", "field"),
        [
            ({"x": (1, 2)}, "input 'y' is missing; the model takes 'x', 'y'", "y"),
            ({}, "input 'x' is missing; the model takes 'x', 'y'", "x"),
            ({"x": (1, 2), "z": (1,)}, "input 'y' is missing; the model takes 'x', 'y'", "y"),
            (
                {"x": (1, 2), "y": (1,), "z": (1,)},
                "there is no input 'z'; the model takes 'x', 'y'",
                "z",
            ),
        ],
    )
    def test_missing_and_unknown_inputs_are_named(
        self, sent: dict[str, tuple[int, ...]], message: str, field: str
    ) -> None:
        with pytest.raises(DoesNotFit) as caught:
            conform(signature(spec(None, 2), spec(None, name="y")), bound(1, **sent))
        assert caught.value.message == message
        assert caught.value.details == {"field": field, "expected": ["x", "y"]}

    @pytest.mark.parametrize(
        ("array", "got"),
        [
            (np.zeros((3, 41), np.float32), "float32 [3, 41]"),
            (np.zeros((3, 42), np.float64), "float64 [3, 42]"),
            (np.zeros((3, 42), object), "string [3, 42]"),
            (np.zeros((2, 42), np.float32), "float32 [2, 42]"),
        ],
    )
    def test_the_message_tells_what_was_sent_and_what_is_taken(self, array: Any, got: str) -> None:
        with pytest.raises(DoesNotFit) as caught:
            conform(signature(spec(None, 42)), Bound({"x": array}, 3, False))
        assert caught.value.message == f"input 'x' is {got}, the model takes float32 [3, 42]"
        assert json.loads(json.dumps(caught.value.document())) == {
            "error": caught.value.message,
            "status": 422,
            "code": "does_not_fit",
            "field": "x",
            "expected": "float32 [3, 42]",
            "got": got,
        }

    def test_the_message_without_a_batch_axis_tells_the_declared_shape(self) -> None:
        wanted = signature(spec(None, 2), batch=BatchAxis.NONE)
        with pytest.raises(DoesNotFit, match=r"the model takes float32 \[\?, 2\]$"):
            conform(wanted, bound(1, x=(1, 3)))


class TestSpecs:
    @pytest.mark.parametrize(
        ("shape", "batch", "row"),
        [
            ((None, 2, 3), BatchAxis.FREE, (2, 3)),
            ((1, 2), BatchAxis.ONE, (2,)),
            ((None,), BatchAxis.FREE, ()),
            ((None, 2), BatchAxis.NONE, (None, 2)),
            ((), BatchAxis.NONE, ()),
            (None, BatchAxis.FREE, None),
            (None, BatchAxis.NONE, None),
        ],
    )
    def test_a_row_is_what_is_left_without_the_batch_axis(
        self,
        shape: tuple[int | None, ...] | None,
        batch: BatchAxis,
        row: tuple[int | None, ...] | None,
    ) -> None:
        only = TensorSpec("x", "float32", shape)
        assert signature(only, batch=batch).row_shape(only) == row

    @pytest.mark.parametrize(
        ("shape", "shown"),
        [(None, "of any shape"), ((), "[]"), ((3,), "[3]"), ((None, 42), "[?, 42]")],
    )
    def test_shapes_are_shown_with_a_question_mark_for_a_free_size(
        self, shape: tuple[int | None, ...] | None, shown: str
    ) -> None:
        assert show_shape(shape) == shown
        assert str(TensorSpec("x", "int8", shape)) == f"int8 {shown}"

    def test_each_dtype_is_numpys_of_its_name_but_strings_are_objects(self) -> None:
        for name, dtype in NUMPY_DTYPES.items():
            assert spec(dtype=name).numpy_dtype is dtype
            assert dtype == (object if name == "string" else np.dtype(name))
