"""The shape of an answer: lists or packed arrays, alone or by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, Arrays, BatchAxis, Bound
from tfaas_core.values.pieces import MOST_WHOLE_BYTES


def are_too_large(outputs: Arrays) -> bool:
    """Whether an answer of them is to be made in pieces, so that it is never there as a whole."""
    size = 0
    for array in outputs.values():
        size += array.nbytes
    return size > MOST_WHOLE_BYTES


def answer_in_kind(
    outputs: Arrays, bound: Bound, version: ModelVersion, shown: Callable[[Array], Any]
) -> Any:
    """What ``shown`` makes of the one output, or of several by name in the signature's order.

    It gets C-contiguous arrays: of one row, without the batch axis, unless the model answers it
    with another number of rows; of a batch, with it; constant outputs, and those of whole tensors,
    as they are. One number, alone or in each row of a batch, has an axis of size 1.
    """
    signature = version.signature
    batched = signature.batch is not BatchAxis.NONE
    # Without a batch axis, whole is what a codec gave one.
    in_kind = bound.single and (batched or bound.whole)
    answers = {}
    for spec in signature.outputs:
        array = outputs[spec.name]
        if not spec.constant:
            if in_kind:
                array = array[0] if array.ndim > 1 and len(array) == 1 else array
            elif batched and array.ndim == 1:
                array = array.reshape(-1, 1)
        answers[spec.name] = shown(np.ascontiguousarray(array))
    return next(iter(answers.values())) if len(answers) == 1 else answers
