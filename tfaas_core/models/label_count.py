"""Whether a model has as many labels as it answers numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tfaas_core.tensors import Signature, TensorSpec


def label_warnings(labels: Sequence[str], signature: Signature) -> list[str]:
    """A sentence for whoever uploaded labels that are too few or too many; or none.

    None, too, if the signature does not tell how many numbers an output has.
    """
    outputs = [spec for spec in signature.outputs if not spec.constant]
    counts = [_count(spec, signature) for spec in outputs]
    if not labels or not counts or None in counts or len(labels) in counts:
        return []
    there = _there_are(len(labels), "label")
    if len(counts) > 1:
        sizes = ", ".join(map(str, counts))
        return [f"{there}, but the outputs have {sizes} numbers each: no answer has labels"]
    (count,) = counts
    assert count is not None
    if len(labels) < count:
        rest = "answers to pictures leave out the numbers that have none"
    else:
        surplus = len(labels) - count
        rest = f"the last {'one is' if surplus == 1 else f'{surplus} are'} never answered"
    return [f"{there}, but the model answers {_counted(count, 'number')}: {rest}"]


def _count(spec: TensorSpec, signature: Signature) -> int | None:
    sizes = signature.row_shape(spec)
    if sizes is None or None in sizes:
        return None
    return prod(size or 0 for size in sizes)


def _there_are(count: int, noun: str) -> str:
    return f"there {'is' if count == 1 else 'are'} {_counted(count, noun)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
