"""A graph's signature: its tensors as a client sees them, and what their first axis is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfaas_backends.graph_nodes import dtype_of, name_of
from tfaas_core.errors import CannotServe
from tfaas_core.tensors import NUMPY_DTYPES, BatchAxis, Signature, TensorSpec


def spec_of(tensor: Any, field: str) -> TensorSpec:
    """The tensor as a client sees it.

    Raises CannotServe where arrays of its dtype cannot be sent; ``field``: the params' that names
    such tensors.
    """
    dtype = dtype_of(tensor)
    if dtype not in NUMPY_DTYPES:
        raise CannotServe(
            f"node {name_of(tensor)!r} holds {dtype}, of which no request or answer can hold any:"
            f" name other nodes in params.{field}",
            field=field,
        )
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return TensorSpec(name_of(tensor), dtype, shape)


def signature_of(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Signature:
    """The signature, its batch axis told by the shapes.

    It is free where all are known to begin with a free size, or of unknown rank if it is outputs:
    of these, runs will tell.
    """
    known = [spec for spec in outputs if spec.shape is not None]
    if _all_begin_with(None, inputs) and _all_begin_with(None, known):
        return Signature(tuple(inputs), tuple(outputs), BatchAxis.FREE)
    one = _all_begin_with(1, inputs) and _all_begin_with(1, outputs)
    return Signature(tuple(inputs), tuple(outputs), BatchAxis.ONE if one else BatchAxis.NONE)


def _all_begin_with(size: int | None, specs: Sequence[TensorSpec]) -> bool:
    return all(spec.shape and spec.shape[0] == size for spec in specs)
