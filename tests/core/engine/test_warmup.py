from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tfaas_core.engine.warmup import Warmed, warm
from tfaas_core.errors import CannotServe, DoesNotFit
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, Signature, TensorSpec
from tfaas_core.testing.servables import ROWS_OF_3, FunctionServable

Run = Callable[..., Array]


def sums(rows: Array) -> Array:
    result: Array = rows.sum(axis=1, keepdims=True)
    return result


def refuse(*_inputs: Array) -> Array:
    raise DoesNotFit("the model refuses this")


def only(accepts: Callable[[Array], object], run: Run = sums) -> Run:
    """As ``run``, for the inputs that are accepted."""
    return lambda rows: run(rows) if accepts(rows) else refuse()


def is_mergeable(run: Run, *inputs: TensorSpec, stateful: bool = False) -> bool:
    servable = FunctionServable(run, *inputs, stateful=stateful)
    warmed = warm(servable)
    assert warmed.signature == servable.signature
    return warmed.mergeable


class TestMergeable:
    def test_rows_that_are_answered_each_by_itself_are(self) -> None:
        assert is_mergeable(sums)

    @pytest.mark.parametrize(
        "run",
        [
            lambda rows: np.full((len(rows), 1), len(rows), np.float32),
            lambda rows: rows - rows.mean(axis=0),
            lambda rows: np.cumsum(rows, axis=0),
            lambda rows: rows[::-1],
            lambda rows: rows / (1e-9 + rows.sum()),
        ],
        ids=["count", "centred", "cumulated", "reversed", "normalised"],
    )
    def test_rows_that_change_each_others_answers_are_not(self, run: Run) -> None:
        assert not is_mergeable(run)

    def test_a_stateful_models_are_not(self) -> None:
        assert not is_mergeable(sums, stateful=True)

    def test_other_last_bits_in_a_bigger_batch_do_not_matter(self) -> None:
        assert is_mergeable(lambda rows: sums(rows) * (1 + 1e-6 * len(rows)))
        assert not is_mergeable(lambda rows: sums(rows) * (1 + 1e-1 * len(rows)))

    def test_all_bits_of_integers_matter(self) -> None:
        assert is_mergeable(lambda rows: np.full((len(rows),), 10**9))
        assert not is_mergeable(lambda rows: np.full((len(rows),), 10**9 + len(rows)))

    def test_answers_that_are_no_numbers_are_compared_too(self) -> None:
        assert is_mergeable(lambda rows: np.full((len(rows), 1), np.nan))
        assert not is_mergeable(
            lambda rows: np.full((len(rows), 1), np.nan if len(rows) > 1 else 1.0)
        )

    def test_a_row_that_is_refused_alone_is_not(self) -> None:
        assert not is_mergeable(only(lambda rows: len(rows) > 1))

    def test_a_row_whose_answer_has_another_shape_alone_is_not(self) -> None:
        assert not is_mergeable(lambda rows: np.zeros((len(rows), len(rows))))

    def test_equal_rows_prove_nothing(self) -> None:
        only_zeros = only(lambda rows: not rows.any(), lambda rows: rows - rows.mean(axis=0))
        assert not is_mergeable(only_zeros)

    def test_strings_are_compared_too(self) -> None:
        words = TensorSpec("words", "string", (None, 1))
        assert is_mergeable(lambda rows: rows + b"!", words)
        assert not is_mergeable(lambda rows: rows + b"!" * len(rows), words)

    def test_each_input_has_its_rows(self) -> None:
        other = TensorSpec("z", "int64", (None,))
        assert is_mergeable(lambda x, z: sums(x)[:, 0] + z, ROWS_OF_3, other)
        assert not is_mergeable(lambda x, z: sums(x) + z.sum(), ROWS_OF_3, other)


class TestBatchAxis:
    @pytest.mark.parametrize(
        "run",
        [
            lambda rows: rows.mean(),
            lambda rows: rows.sum(axis=0),
            lambda rows: rows[:1],
            lambda rows: np.concatenate([rows, rows]),
        ],
        ids=["number", "columns", "first row", "twice the rows"],
    )
    def test_a_model_that_does_not_answer_two_rows_with_two_has_none(self, run: Run) -> None:
        servable = FunctionServable(run)
        signature = servable.signature
        expected = Signature(signature.inputs, signature.outputs, BatchAxis.NONE)
        assert warm(servable) == Warmed(expected, False)

    @pytest.mark.parametrize("batch", [BatchAxis.ONE, BatchAxis.NONE])
    def test_a_model_without_a_free_one_keeps_its_own(self, batch: BatchAxis) -> None:
        servable = FunctionServable(sums, TensorSpec("x", "float32", (1, 3)), batch=batch)
        assert warm(servable) == Warmed(servable.signature, False)
        assert {run[0].shape for run in servable.runs} == {(1, 3)}


class TestValues:
    @pytest.mark.parametrize("dtype", sorted(NUMPY_DTYPES))
    def test_they_conform_to_the_signature(self, dtype: str) -> None:
        spec = TensorSpec("x", dtype, (None, 4))
        servable = FunctionServable(lambda x: np.zeros(len(x)), spec)
        warm(servable)
        for (array,) in [*servable.runs, *servable.tunings]:
            assert array.dtype == NUMPY_DTYPES[dtype]
            assert array.shape[1:] == (4,)
            assert array.flags.c_contiguous
            if dtype == "string":
                assert {type(value) for value in array.flat} == {bytes}

    def test_a_number_and_a_whole_tensor_may_be_inputs(self) -> None:
        specs = TensorSpec("rate", "float32", ()), TensorSpec("x", "int32", (2, None))
        servable = FunctionServable(lambda rate, x: rate * x, *specs, batch=BatchAxis.NONE)
        assert warm(servable) == Warmed(servable.signature, False)
        assert [array.shape for array in servable.runs[0]] == [(), (2, 1)]

    def test_an_input_of_unknown_rank_gets_rows(self) -> None:
        assert is_mergeable(sums, TensorSpec("x", "float32", None))

    @pytest.mark.parametrize("least", [2, 30, 200])
    def test_bigger_sizes_are_tried_where_small_ones_do_not_run(self, least: int) -> None:
        free = TensorSpec("x", "float32", (None, None, 2))
        assert is_mergeable(only(lambda x: x.shape[1] >= least, lambda x: x.sum((1, 2))), free)

    def test_zeros_are_tried_where_others_do_not_run(self) -> None:
        servable = FunctionServable(only(lambda rows: not rows.any()))
        warm(servable)
        assert len(servable.tunings) == 1

    def test_a_model_that_refuses_all_of_them_is_served_without_batches(self) -> None:
        servable = FunctionServable(refuse)
        assert warm(servable) == Warmed(servable.signature, False)
        assert servable.tunings == []

    def test_a_model_that_could_run_no_values_cannot_be_served(self) -> None:
        def lacks_kernel(_rows: Array) -> Array:
            raise CannotServe("this machine lacks a kernel")

        with pytest.raises(CannotServe, match="lacks a kernel"):
            warm(FunctionServable(lacks_kernel))


def test_a_model_is_tuned_once_with_inputs_that_run() -> None:
    servable = FunctionServable(only(lambda rows: len(rows) == 2))
    warm(servable)
    ((rows,),) = servable.tunings
    assert rows.shape == (2, 3)
