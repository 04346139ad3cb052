from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from tfaas_core.engine.in_model_process.made_up import MOST_VALUES
from tfaas_core.engine.in_model_process.warmup import (
    BY_SHAPE,
    PROVEN,
    REFUTED,
    SAYS_SO,
    STATEFUL,
    Warmed,
    warm,
)
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.errors import CannotServe, DoesNotFit, Unavailable
from tfaas_core.models.params import Params
from tfaas_core.runtime import Independence, Shapes
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, Signature, TensorSpec
from tfaas_core.testing.function_servable import ANY_NUMBERS, ROWS_OF_3, UNPROVEN, FunctionServable

Run = Callable[..., Array]


def sums(rows: Array) -> Array:
    result: Array = rows.sum(axis=1, keepdims=True)
    return result


def refuse(*_inputs: Array) -> Array:
    raise DoesNotFit("the model refuses this")


def only(accepts: Callable[[Array], object], run: Run = sums) -> Run:
    """As ``run``, for the inputs that are accepted."""
    return lambda rows: run(rows) if accepts(rows) else refuse()


def is_mergeable(run: Run, *inputs: TensorSpec, output: TensorSpec = ANY_NUMBERS) -> bool:
    """Of a model whose rows are proven to be independent."""
    warmed = warm(FunctionServable(run, *inputs, output=output))
    assert warmed.signature.batch is BatchAxis.FREE
    assert warmed.merge_reason == (PROVEN if warmed.mergeable else REFUTED)
    return warmed.mergeable


def params(**document: object) -> Params:
    return Params.of(dict(document))


NOTHING_SAID = Params()


def verdict(servable: FunctionServable, told: Params = NOTHING_SAID) -> tuple[bool, str]:
    warmed = warm(servable, told)
    return warmed.mergeable, warmed.merge_reason


class TestVerdict:
    def test_rows_that_are_proven_to_be_independent_share_runs(self) -> None:
        assert verdict(FunctionServable(sums)) == (True, PROVEN)

    def test_rows_of_which_nothing_is_proven_do_not(self) -> None:
        assert verdict(FunctionServable(sums, proven=False)) == (False, UNPROVEN)

    def test_a_proof_that_the_trial_refutes_does_not_count(self) -> None:
        assert verdict(FunctionServable(lambda rows: rows - rows.mean(0))) == (False, REFUTED)

    @pytest.mark.parametrize("run", [sums, refuse])
    def test_a_proof_needs_no_values_that_run(self, run: Run) -> None:
        servable = FunctionServable(run, output=TensorSpec("y", "float32", (None, 1)))
        assert verdict(servable) == (True, PROVEN)

    def test_a_stateful_models_rows_do_not(self) -> None:
        assert verdict(FunctionServable(sums, stateful=True)) == (False, STATEFUL)

    @pytest.mark.parametrize("axis", ["one", "none"])
    def test_without_a_free_batch_axis_none_do(self, axis: str) -> None:
        specs = TensorSpec("x", "float32", (1, 3)), TensorSpec("y", "float32", (1, 1))
        servable = FunctionServable(sums, specs[0], output=specs[1], batch=BatchAxis(axis))
        assert verdict(servable) == (False, f"its batch axis is {axis}")

    @pytest.mark.parametrize("merge", [True, False])
    @pytest.mark.parametrize(
        "servable",
        [
            FunctionServable(sums),
            FunctionServable(sums, proven=False),
            FunctionServable(sums, stateful=True),
            FunctionServable(lambda rows: rows - rows.mean(0)),
        ],
        ids=["proven", "not proven", "stateful", "refuted"],
    )
    def test_the_params_have_the_last_word(self, servable: FunctionServable, merge: bool) -> None:
        assert verdict(servable, params(batch={"merge": merge})) == (merge, SAYS_SO)

    def test_but_not_about_another_batch_axis(self) -> None:
        servable = FunctionServable(lambda rows: rows.sum(0))
        told = params(batch={"merge": True})
        assert verdict(servable, told) == (False, "its batch axis is none")

    @pytest.mark.parametrize("axis", ["one", "none"])
    def test_a_batch_axis_of_the_params_is_the_reason(self, axis: str) -> None:
        told = params(batch={"axis": axis})
        why = f"its batch axis is {axis}: params.batch.axis says so"
        assert verdict(FunctionServable(sums), told) == (False, why)

    def test_the_reason_for_no_batch_axis_is_told_to_who_vouches(self) -> None:
        spec = TensorSpec("x", "float32", (4, 3))
        servable = FunctionServable(sums, spec, batch=BatchAxis.NONE, proven=False)
        told = verdict(servable, params(batch={"merge": True}))
        assert told == (False, f"its batch axis is none: {UNPROVEN}")

    def test_the_params_have_the_last_word_on_unknown_shapes_too(self) -> None:
        spec = TensorSpec("x", "float32", None)
        servable = FunctionServable(sums, spec, batch=BatchAxis.NONE, by_shape=True)
        assert verdict(servable) == (True, BY_SHAPE)
        assert verdict(servable, params(batch={"merge": True})) == (True, BY_SHAPE)
        assert verdict(servable, params(batch={"merge": False})) == (False, SAYS_SO)
        assert not verdict(servable, params(batch={"axis": "none"}))[0]

    def test_a_proof_that_fails_is_none(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(FunctionServable):
            def independence(self, shapes: Shapes | None = None) -> Independence:
                raise RecursionError

        mergeable, reason = verdict(Broken(sums))
        assert not mergeable
        assert "proof" in reason
        assert "RecursionError" in caplog.text


class TestTrial:
    @pytest.mark.parametrize(
        "run",
        [
            lambda rows: np.full((len(rows), 1), len(rows), np.float32),
            lambda rows: rows - rows.mean(axis=0),
            lambda rows: np.cumsum(rows, axis=0),
            lambda rows: rows[::-1],
            lambda rows: rows / (1e-9 + rows.sum()),
            lambda rows: sums(rows) * 1e-6 + 1e-8 * rows.max(),
            lambda rows: rows * (1 + (abs(rows) > 3000).any()),
            lambda rows: rows + (rows < 0).all(),
            lambda rows: rows * (1 + (rows == 0).all(axis=1).any()),
            lambda rows: sums(rows) if len(rows) < 5 else sums(rows)[::-1],
            lambda rows: rows / max(1, len(rows) - 2),
            lambda rows: rows - rows[0] * (sums(rows) < 0),
        ],
        ids=[
            *("count", "centred", "cumulated", "reversed", "normalised"),
            *("small", "where one is large", "where all are negative", "where one is empty"),
            *("of five rows", "of more than three rows", "where a row is negative"),
        ],
    )
    def test_rows_that_change_each_others_answers_are_found_out(self, run: Run) -> None:
        assert not is_mergeable(run)

    def test_rows_of_a_length_are_tried_in_several_lengths(self) -> None:
        free = TensorSpec("x", "float32", (None, None))
        assert is_mergeable(sums, free)
        assert not is_mergeable(lambda x: sums(x) - (x.shape[1] > 5) * x.mean(), free)

    def test_other_last_bits_in_a_bigger_batch_do_not_matter(self) -> None:
        assert is_mergeable(lambda rows: sums(rows) * np.float32(1 + 1e-6 * len(rows)))
        assert not is_mergeable(lambda rows: sums(rows) * np.float32(1 + 1e-2 * len(rows)))

    def test_rounding_where_large_terms_cancel_out_does_not_matter(self) -> None:
        random = np.random.default_rng(3)
        weights = random.normal(size=(3, 1000)).astype(np.float32)

        def cancels(rows: Array) -> Array:
            hidden = rows @ weights
            # Kernels for other numbers of rows add up in another order.
            order = np.argsort(np.sin(len(rows) * np.arange(1000)))
            rounded: Array = hidden[:, order] @ weights.T[order] - rows @ (weights @ weights.T)
            return rounded

        assert is_mergeable(cancels)

    def test_a_saturated_probability_does_not_matter(self) -> None:
        def rest(rows: Array) -> Array:
            noise = np.float32(6e-8 * (len(rows) % 2))
            probability: Array = 1 / (1 + np.exp(-np.clip(sums(rows), -30, 30)))
            saturated: Array = np.float32(1) - probability + noise
            return saturated

        assert is_mergeable(rest)

    def test_all_bits_of_integers_matter(self) -> None:
        assert is_mergeable(lambda rows: np.full((len(rows),), 10**9))
        assert not is_mergeable(lambda rows: np.full((len(rows),), 10**9 + len(rows)))

    def test_but_not_where_rounding_decides_between_them(self) -> None:
        def steps(rows: Array) -> Array:
            total = rows.astype(np.float64).sum(1) * (1 + 1e-9 * len(rows))
            whole: Array = np.floor(total * 1e7).astype(np.int64)
            return whole

        assert is_mergeable(steps, output=TensorSpec("y", "int64", (None,)))

    def test_answers_that_are_no_numbers_are_compared_too(self) -> None:
        assert is_mergeable(lambda rows: np.full((len(rows), 1), np.nan))
        assert not is_mergeable(
            lambda rows: np.full((len(rows), 1), np.nan if len(rows) > 1 else 1.0)
        )

    def test_a_row_that_is_refused_alone_is_answered_otherwise(self) -> None:
        spec = TensorSpec("y", "float32", (None, 1))
        assert not is_mergeable(only(lambda rows: len(rows) > 1), output=spec)

    def test_a_row_whose_answer_has_another_shape_alone_is_answered_otherwise(self) -> None:
        assert not is_mergeable(lambda rows: np.zeros((len(rows), len(rows))))

    def test_strings_are_compared_too(self) -> None:
        words = TensorSpec("words", "string", (None, 1))
        assert is_mergeable(lambda rows: rows + b"!", words)
        assert not is_mergeable(lambda rows: rows + b"!" * len(rows), words)

        def padded(rows: Array) -> Array:
            most = max(map(len, rows[:, 0]))
            return np.array([[len(row)] for row in rows[:, 0]]) - most

        assert not is_mergeable(padded, words)

    def test_each_input_has_its_rows(self) -> None:
        other = TensorSpec("z", "int64", (None,))
        assert is_mergeable(lambda x, z: sums(x)[:, 0] + z, ROWS_OF_3, other)
        assert not is_mergeable(lambda x, z: sums(x) + z.sum(), ROWS_OF_3, other)

    def test_a_constant_output_is_the_same_for_all_rows(self) -> None:
        constant = TensorSpec("names", "float32", (2,), constant=True)
        specs = (TensorSpec("y", "float32", (None, 1)), constant)

        def served(run: Callable[[Array], list[Array]]) -> Warmed:
            return warm(FunctionServable(run, outputs=specs))

        same = served(lambda rows: [sums(rows), np.array([1, 2], np.float32)])
        assert (same.mergeable, same.signature.batch) == (True, BatchAxis.FREE)
        other = served(lambda rows: [sums(rows), np.array([1, len(rows)], np.float32)])
        assert (other.mergeable, other.merge_reason) == (False, REFUTED)

    def test_a_slow_model_is_tried_less(self) -> None:
        def count_runs(pause_s: float) -> int:
            def slow(rows: Array) -> Array:
                time.sleep(pause_s)
                return sums(rows)

            servable = FunctionServable(slow)
            warm(servable)
            return len(servable.runs)

        assert count_runs(0.11) < 15 < count_runs(0)


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
    def test_a_model_that_does_not_answer_two_rows_with_two_has_none_unless_its_file_tells(
        self, run: Run
    ) -> None:
        servable = FunctionServable(run)
        signature = servable.signature
        expected = Signature(signature.inputs, signature.outputs, BatchAxis.NONE)
        assert warm(servable) == Warmed(expected, False, "its batch axis is none")
        known = TensorSpec("y", "float32", (None, None))
        warmed = warm(FunctionServable(run, output=known, proven=False))
        assert (warmed.signature.batch, warmed.mergeable) == (BatchAxis.FREE, False)

    @pytest.mark.parametrize("batch", [BatchAxis.ONE, BatchAxis.NONE])
    def test_a_model_without_a_free_one_keeps_its_own(self, batch: BatchAxis) -> None:
        servable = FunctionServable(sums, TensorSpec("x", "float32", (1, 3)), batch=batch)
        assert warm(servable).signature == servable.signature
        assert {run[0].shape for run in servable.runs} == {(1, 3)}

    @pytest.mark.parametrize("axis", list(BatchAxis))
    def test_one_that_is_given_stays(self, axis: BatchAxis) -> None:
        servable = FunctionServable(lambda rows: rows.sum(axis=0))
        warmed = warm(servable, params(batch={"axis": str(axis)}))
        assert warmed.signature.batch is axis

    def test_the_shape_of_an_output_is_learnt(self) -> None:
        servable = FunctionServable(lambda rows: rows[:, :2])
        assert warm(servable).signature.outputs[0].shape == (None, 2)

    def test_where_nothing_runs_a_proof_tells_it(self) -> None:
        for proven, batch in ((True, BatchAxis.FREE), (False, BatchAxis.NONE)):
            servable = FunctionServable(refuse, proven=proven)
            assert warm(servable).signature.batch is batch


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
        assert warm(servable).signature == servable.signature
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

    @pytest.mark.parametrize("shape", [(None,) * 6, (None, 2**33), (None, 2**31, 2**31)])
    def test_shapes_of_more_values_than_there_is_memory_for_are_not(
        self, shape: tuple[int | None, ...]
    ) -> None:
        servable = FunctionServable(refuse, TensorSpec("x", "float32", shape))
        assert warm(servable).mergeable
        assert all(rows.size <= MOST_VALUES for (rows,) in servable.runs)

    @pytest.mark.parametrize("error", [Unavailable("no memory"), MemoryError()])
    def test_runs_that_take_too_much_memory_are_no_harm(self, error: Exception) -> None:
        def needs_memory(_rows: Array) -> Array:
            raise error

        output = TensorSpec("y", "float32", (None, 1))
        assert verdict(FunctionServable(needs_memory, output=output)) == (True, PROVEN)

    def test_a_model_that_refuses_all_of_them_is_served_all_the_same(self) -> None:
        servable = FunctionServable(refuse, output=TensorSpec("y", "float32", (None, 1)))
        assert warm(servable).signature == servable.signature
        assert servable.tunings == []

    @pytest.mark.parametrize("runs", ["examples", "none"])
    def test_none_are_run_where_the_params_say_so(self, runs: str) -> None:
        servable = FunctionServable(sums, stateful=True)
        warm(servable, params(warmup=runs))
        assert (servable.runs, servable.tunings, servable.resets) == ([], [], 0)

    def test_none_are_run_where_they_were_given_up(self) -> None:
        servable = FunctionServable(sums)
        assert warm(servable, made_up=False).mergeable
        assert servable.runs == []

    def test_a_stateful_model_forgets_them(self) -> None:
        state: list[float] = []

        def adds_up(rows: Array) -> Array:
            state.append(float(rows.sum()))
            return sums(rows)

        servable = FunctionServable(adds_up, stateful=True, on_reset=state.clear)
        warm(servable)
        assert servable.runs
        assert state == []

    def test_the_meter_tells_since_when_one_lasts(self) -> None:
        meter = Meter.create(1)
        since_ns: list[int] = []

        def notes(rows: Array) -> Array:
            since_ns.append(meter.running_since_ns())
            return sums(rows)

        before_ns = time.monotonic_ns()
        warm(FunctionServable(notes), meter=meter)
        assert min(since_ns) >= before_ns
        assert meter.running_since_ns() == 0
        meter.close()

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
