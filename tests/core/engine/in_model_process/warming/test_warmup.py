from __future__ import annotations

import numpy as np
import pytest

from tests.core.engine.in_model_process.warming.verdicts import (
    Run,
    only,
    params,
    refuse,
    sums,
)
from tfaas_core.engine.in_model_process.warming.warmup import (
    Warmed,
    warm,
)
from tfaas_core.tensors import BatchAxis, Signature, TensorSpec
from tfaas_core.testing.function_servable import FunctionServable


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


def test_a_model_is_tuned_once_with_inputs_that_run() -> None:
    servable = FunctionServable(only(lambda rows: len(rows) == 2))
    warm(servable)
    ((rows,),) = servable.tunings
    assert rows.shape == (2, 3)
