"""Labels: which of a model's labels is for which number of an answer, and answers as rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tfaas_core.tensors import Array


def flat_rows(output: Array, batched: bool) -> Array:
    """An output as [rows, numbers of a row]; one row if there is no batch axis.

    ``batched``: whether axis 0 is the batch; it is not in a constant output.
    """
    if not batched or not output.ndim:
        return output.reshape(1, -1)
    rows = len(output)
    return output.reshape(rows, -1 if rows else prod(output.shape[1:]))


def labels_of(count: int, labels: Sequence[str], alone: bool) -> list[str]:
    """The label of each of ``count`` numbers of a row; an empty text for one that has none.

    ``alone``: the output is the only one, so the labels are for it, as far as they go. Of several
    outputs, those have them that have as many numbers as there are labels.
    """
    if not alone and len(labels) != count:
        labels = ()
    return [*labels[:count], *[""] * (count - len(labels))]
