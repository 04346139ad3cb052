"""The shape of an answer: lists or packed arrays, alone or by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfaas_core.model import ModelVersion
from tfaas_core.tensors import Array, Arrays, BatchAxis, Bound


def answer(
    outputs: Arrays, bound: Bound, version: ModelVersion, shown: Callable[[Array], Any]
) -> Any:
    """What ``shown`` makes of the one output, or of several by name in the signature's order.

    It gets C-contiguous arrays: of one row, without the batch axis; of a batch, with it; without a
    batch axis, whole. One number, alone or in each row of a batch, has an axis of size 1.
    """
    signature = version.signature
    batched = signature.batch is not BatchAxis.NONE
    answers = {
        spec.name: shown(_shaped(outputs[spec.name], batched, bound.single))
        for spec in signature.outputs
    }
    return next(iter(answers.values())) if len(answers) == 1 else answers


def _shaped(array: Array, batched: bool, single: bool) -> Array:
    array = np.ascontiguousarray(array)
    if batched and array.ndim > 1:
        return array[0] if single else array
    return array.reshape(-1, 1) if batched and not single else array
