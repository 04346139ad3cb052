"""What the warm-up finds out about a function that stands in for a model."""

from __future__ import annotations

from collections.abc import Callable

from tfaas_core.engine.in_model_process.warming.warmup import (
    PROVEN,
    REFUTED,
    warm,
)
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.params import Params
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.function_servable import ANY_NUMBERS, FunctionServable

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
