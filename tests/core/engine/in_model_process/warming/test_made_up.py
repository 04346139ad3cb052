from __future__ import annotations

import time

import numpy as np
import pytest

from tests.core.engine.in_model_process.warming.verdicts import (
    is_mergeable,
    only,
    params,
    refuse,
    sums,
    verdict,
)
from tfaas_core.engine.in_model_process.warming.made_up import MOST_VALUES
from tfaas_core.engine.in_model_process.warming.warmup import (
    PROVEN,
    warm,
)
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.errors import CannotServe, Unavailable
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, TensorSpec
from tfaas_core.testing.function_servable import FunctionServable


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
