"""Outputs of runs: put together if several runs answer one request, and dealt out by rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from tfaas_core.errors import DoesNotFit
from tfaas_core.tensors import Array, TensorSpec, show_shape

Specs: TypeAlias = Sequence[TensorSpec]


class Uneven(DoesNotFit):
    """A run did not answer each of its rows with a row, or rows of other runs otherwise."""


def rows_between(outputs: Sequence[Array], start: int, end: int, specs: Specs) -> list[Array]:
    """The outputs for some of the rows of a run; constant ones are everybody's."""
    return [
        output if spec.constant else output[start:end]
        for output, spec in zip(outputs, specs, strict=True)
    ]


def no_rows(specs: Specs) -> list[Array]:
    """The outputs for no rows at all, as far as the specs tell their shapes."""
    shapes = [(0, *(size or 0 for size in (spec.shape or ())[1:])) for spec in specs]
    return [np.zeros(shape, spec.numpy_dtype) for shape, spec in zip(shapes, specs, strict=True)]


def check_rows(outputs: Sequence[Array], rows: int, specs: Specs) -> None:
    """Raises Uneven if a run of so many rows did not answer each with one."""
    for output, spec in zip(outputs, specs, strict=True):
        if output.shape[:1] != (rows,) and not spec.constant:
            raise Uneven(
                f"the model did not answer each of {rows} rows with a row of {spec.name!r}"
            )


def joined(runs: Sequence[Sequence[Array]], specs: Specs) -> list[Array]:
    """The outputs of several runs, one behind the other. Raises Uneven if shapes differ."""
    found = []
    for spec, parts in zip(specs, zip(*runs, strict=True), strict=True):
        if len({part.shape[1:] for part in parts}) > 1:
            raise Uneven(f"the model answers some rows with another shape of {spec.name!r}")
        found.append(parts[0] if spec.constant else np.concatenate(parts))
    return found


def check_alike(first: Sequence[Array], other: Sequence[Array], row: int, specs: Specs) -> None:
    """Raises Uneven if a run of this row alone answers otherwise than that of row 0."""
    for spec, one, two in zip(specs, first, other, strict=True):
        if spec.constant or (one.shape == two.shape and two.shape[:1] == (1,)):
            continue
        same = one.shape == two.shape
        beside = "" if same else f" and row {row} with {_amount(two, one)}"
        raise Uneven(
            f"the model answers row 0 with {_amount(one, two)} of {spec.name!r}{beside}: "
            "send them one at a time"
        )


def _amount(output: Array, other: Array) -> str:
    """How much ``output`` holds, told so that it differs from ``other``."""
    if output.size != other.size:
        return "1 value" if output.size == 1 else f"{output.size} values"
    return f"the shape {show_shape(output.shape)}"
