from __future__ import annotations

import pytest

from tests.core.engine.in_model_process.warming.verdicts import (
    Run,
    params,
    refuse,
    sums,
    verdict,
)
from tfaas_core.engine.in_model_process.warming.warmup import (
    BY_SHAPE,
    PROVEN,
    REFUTED,
    SAYS_SO,
    STATEFUL,
)
from tfaas_core.runtime import Independence, Shapes
from tfaas_core.tensors import BatchAxis, TensorSpec
from tfaas_core.testing.function_servable import UNPROVEN, FunctionServable


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
