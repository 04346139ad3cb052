from __future__ import annotations

from collections.abc import Sequence

import pytest

from tfaas_core.tensors import BatchAxis, TensorSpec
from tfaas_core.testing.models import model_version


def numbers(*sizes: int | None, constant: bool = False) -> TensorSpec:
    return TensorSpec("y", "float32", (None, *sizes), constant=constant)


def warnings(labels: int, *outputs: TensorSpec, batch: BatchAxis = BatchAxis.FREE) -> list[str]:
    words = [f"class {number}" for number in range(labels)]
    record = model_version(outputs=outputs, labels=words, batch=batch).document()
    return list(record.get("warnings", []))


@pytest.mark.parametrize(
    ("labels", "outputs"),
    [
        (3, [numbers(3)]),
        (6, [numbers(2, 3)]),
        (1, [numbers()]),
        (0, [numbers(3)]),
        (2, [numbers(None)]),
        (2, [TensorSpec("y", "float32", None)]),
        (3, [numbers(4), numbers(3)]),
        (3, [numbers(3), numbers(7, constant=True)]),
    ],
)
def test_labels_that_fit_or_may_fit_are_no_matter(
    labels: int, outputs: Sequence[TensorSpec]
) -> None:
    assert warnings(labels, *outputs) == []


@pytest.mark.parametrize(
    ("labels", "outputs", "sentence"),
    [
        (
            1,
            [numbers(3)],
            "there is 1 label, but the model answers 3 numbers: answers to pictures leave out the "
            "numbers that have none",
        ),
        (
            4,
            [numbers(3)],
            "there are 4 labels, but the model answers 3 numbers: the last one is never answered",
        ),
        (
            3,
            [numbers()],
            "there are 3 labels, but the model answers 1 number: the last 2 are never answered",
        ),
        (
            3,
            [numbers(2), numbers(5)],
            "there are 3 labels, but the outputs have 2, 5 numbers each: no answer has labels",
        ),
    ],
)
def test_labels_that_are_too_few_or_too_many_are_told(
    labels: int, outputs: Sequence[TensorSpec], sentence: str
) -> None:
    assert warnings(labels, *outputs) == [sentence]


def test_without_a_batch_axis_all_numbers_count() -> None:
    spec = TensorSpec("y", "float32", (2, 3))
    assert warnings(6, spec, batch=BatchAxis.NONE) == []
    assert len(warnings(3, spec, batch=BatchAxis.NONE)) == 1
