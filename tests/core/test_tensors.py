from __future__ import annotations

import json
from typing import Any

import msgspec
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
    runs_whole,
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
            (np.zeros((3, 42), ">f4"), "byte-swapped float32 [3, 42]"),
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


class TestWholeRequests:
    """They are no rows: only the signature says what their first axes are."""

    @pytest.mark.parametrize(
        ("shapes", "expected"),
        [
            ({"x": (1, 2), "y": (5,)}, True),
            ({"x": (0, 2), "y": (0,)}, True),
            ({"x": (1, 3), "y": (5,)}, False),
            ({"x": (1,), "y": (5,)}, False),
        ],
    )
    def test_free_first_axes_may_differ(
        self, shapes: dict[str, tuple[int, ...]], expected: bool
    ) -> None:
        wanted = signature(spec(None, 2), spec(None, name="y"))
        arrays = bound(5, **shapes).arrays
        assert fits(wanted, Bound(arrays, 5, False, whole=True)) is expected
        assert not fits(wanted, Bound(arrays, 5, False))

    @pytest.mark.parametrize(
        ("sent", "rows", "expected"),
        [((1, 2), 1, True), ((0, 2), 0, True), ((2, 2), 2, False), ((0, 3), 0, False)],
    )
    def test_a_batch_axis_of_one_takes_one_row_or_none(
        self, sent: tuple[int, ...], rows: int, expected: bool
    ) -> None:
        wanted = signature(spec(1, 2), batch=BatchAxis.ONE)
        whole = Bound(bound(rows, x=sent).arrays, rows, False, whole=True)
        assert fits(wanted, whole) is expected

    def test_they_run_whole_and_others_do_not(self) -> None:
        wanted = signature(spec(None, 2))
        for whole in (True, False):
            sent = Bound(bound(3, x=(3, 2)).arrays, 3, False, whole=whole)
            assert runs_whole(wanted, sent) is whole


class TestDefaults:
    @pytest.mark.parametrize(
        ("dtype", "default", "expected"),
        [
            ("float32", [[1, 2.5]], np.array([[1, 2.5]], np.float32)),
            ("int64", 3, np.array(3)),
            ("bool", [True, False], np.array([True, False])),
            ("complex64", [[1, -2]], np.array([1 - 2j], np.complex64)),
            ("string", "Higgs", np.array(b"Higgs", object)),
            ("string", [["é", {"b64": "/w=="}]], np.array([["é".encode(), b"\xff"]], object)),
            ("string", [], np.array([], object)),
        ],
    )
    def test_an_input_that_is_missing_gets_its_own(
        self, dtype: str, default: Any, expected: Any
    ) -> None:
        given = TensorSpec("rate", dtype, None, default)
        wanted = signature(spec(None, 2), given, batch=BatchAxis.NONE)
        _, array = conform(wanted, bound(1, x=(3, 2)))
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        assert array.tolist() == expected.tolist()

    def test_one_that_is_sent_does_not(self) -> None:
        wanted = signature(spec(None, 2), TensorSpec("y", "float32", (None,), [7]))
        sent = bound(1, x=(1, 2), y=(1,))
        assert conform(wanted, sent)[1] is sent.arrays["y"]
        assert not fits(wanted, bound(1, x=(1, 2), y=(2,)))

    def test_other_names_are_wrong_all_the_same(self) -> None:
        wanted = signature(spec(None, 2), TensorSpec("y", "float32", (None,), [7]))
        assert not fits(wanted, bound(1, y=(1,)))
        assert not fits(wanted, bound(1, x=(1, 2), z=(1,)))
        assert not fits(wanted, bound(1, x=(1, 2), y=(1,), z=(1,)))

    def test_a_request_runs_whole_where_one_has_other_rows(self) -> None:
        wanted = signature(spec(None, 2), TensorSpec("y", "float32", (None,), [7]))
        assert not runs_whole(wanted, bound(1, x=(1, 2)))
        assert runs_whole(wanted, bound(2, x=(2, 2)))
        assert not runs_whole(wanted, bound(2, x=(2, 2), y=(2,)))
        scalar = signature(spec(None, 2), TensorSpec("y", "float32", None, 7))
        assert runs_whole(scalar, bound(1, x=(1, 2)))
        assert not runs_whole(msgspec.structs.replace(scalar, batch=BatchAxis.NONE), bound(1))


def test_what_no_output_needs_may_be_sent_and_is_left_out() -> None:
    wanted = msgspec.structs.replace(
        signature(spec(None, 2), TensorSpec("y", "float32", (None,), [7])), unused=("training",)
    )
    sent = bound(2, x=(2, 2), y=(2,), training=())
    assert [array.shape for array in conform(wanted, sent)] == [(2, 2), (2,)]
    assert not runs_whole(wanted, sent)
    sent = bound(2, x=(2, 2), training=())
    assert [array.shape for array in conform(wanted, sent)] == [(2, 2), (1,)]
    assert runs_whole(wanted, sent)
    with pytest.raises(DoesNotFit, match="input 'x' is missing"):
        conform(wanted, bound(2, training=(2,)))


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
