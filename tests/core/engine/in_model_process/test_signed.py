"""The signatures of one model, warmed up together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.core.engine.in_model_process.warming.verdicts import refuse, sums
from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.signed import shared_rows_of, warm_all
from tfaas_core.models.params import Params
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.function_servable import FunctionServable


def refusing() -> FunctionServable:
    return FunctionServable(refuse, output=TensorSpec("y", "float32", (None, 1)))


def test_a_model_that_refuses_made_up_values_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    servable = refusing()
    servable.others = {"other": refusing(), "another": refusing()}
    with caplog.at_level("INFO", "tfaas.engine"):
        assert len(warm_all(servable, Params(), True, None, Origin(), None)) == 3
    assert caplog.text.count("made-up values do not run") == 1


def slower_together(rows: Array) -> Array:
    time.sleep(0.001 * len(rows) ** 2)
    return sums(rows)


def found_by(functions: Sequence[Callable[[Array], Array]], *others: Any) -> tuple[int, ...]:
    """The shared rows of a model whose signatures are these functions."""
    servable, other = map(FunctionServable, functions)
    servable.others = {"other": other}
    return shared_rows_of(warm_all(servable, Params(), True, None, Origin(), *others))


def test_a_further_process_shares_the_rows_of_each_signature_as_the_first_does() -> None:
    wanted = {"other": BatchAxis.FREE}
    assert found_by((slower_together, sums), None) == (1, 0)
    assert found_by((sums, slower_together), None) == (0, 1)
    # Nothing is measured again.
    for found in ((1, 0), (0, 1)):
        assert found_by((sums, sums), wanted, found) == found
        assert found_by((slower_together, slower_together), wanted, found) == found


def test_what_params_say_of_shared_rows_holds_in_a_further_process_too() -> None:
    params = Params.parse(b'{"shared_rows": 5}')
    own = FunctionServable(sums)
    assert shared_rows_of(warm_all(own, params, True, None, Origin(), {}, (1,))) == (5,)
