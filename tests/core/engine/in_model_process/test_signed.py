"""The signatures of one model, warmed up together."""

from __future__ import annotations

import pytest

from tests.core.engine.in_model_process.warming.verdicts import refuse
from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.signed import warm_all
from tfaas_core.models.params import Params
from tfaas_core.tensors import TensorSpec
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
