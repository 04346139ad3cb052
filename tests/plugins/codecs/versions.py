"""Versions of models that requests to the codecs are for, and arrays for them to answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec, conform
from tfaas_core.testing.models import model_version


def taking(
    dtype: str = "float32",
    shape: Sequence[int | None] | None = (None, 2),
    batch: BatchAxis = BatchAxis.FREE,
    **params: Any,
) -> ModelVersion:
    """One that takes one input of this dtype and shape."""
    size = None if shape is None else tuple(shape)
    return model_version([TensorSpec("x", dtype, size)], batch=batch, params=params)


def giving(
    *outputs: TensorSpec, labels: Sequence[str] = (), batch: BatchAxis = BatchAxis.FREE
) -> ModelVersion:
    """One that gives these outputs."""
    return model_version(outputs=outputs, labels=labels, batch=batch)


def f32(values: Any) -> Array:
    return np.array(values, np.float32)


def checked(bound: Bound, version: ModelVersion) -> list[Array]:
    """The arrays of a request, each of which is such as the version's signature asks for.

    Of a whole request, they may have different first axes, and inputs with defaults may be missing.
    """
    for spec in version.signature.inputs:
        if spec.default is None or spec.name in bound.arrays:
            array = bound.arrays[spec.name]
            rows = len(array) if bound.whole and array.ndim else bound.rows
            alone = msgspec.structs.replace(version.signature, inputs=(spec,))
            conform(alone, Bound({spec.name: array}, rows, bound.single))
    return list(bound.arrays.values())


def signed(version: ModelVersion, name: str = "", unused: Sequence[str] = ()) -> ModelVersion:
    """The version with a signature that has a name, or inputs that nobody reads."""
    replace = msgspec.structs.replace
    signature = replace(version.signature, name=name, unused=tuple(unused))
    return replace(version, signature=signature)


VK = taking()
VK_3 = taking(features=["a", "b", "c"], shape=(None, 3))
TWO_INPUTS = model_version(
    [TensorSpec("x", "float32", (None, 2)), TensorSpec("y", "float32", (None, 1))]
)
