"""A graph's signature: its tensors as a client sees them, and what their first axis is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from tfaas_backends.runtimes.tensorflow.nodes import dtype_of, name_of
from tfaas_core.errors import CannotServe
from tfaas_core.tensors import NUMPY_DTYPES, BatchAxis, Signature, TensorSpec


def spec_of(tensor: Any, field: str) -> TensorSpec:
    """The tensor as a client sees it.

    Raises CannotServe if arrays of its dtype cannot be sent; ``field``: the params' that names
    such tensors.
    """
    dtype = dtype_of(tensor)
    if dtype not in NUMPY_DTYPES:
        raise CannotServe(
            f"node {name_of(tensor)!r} holds {dtype}, which no request or answer can hold:"
            f" name other nodes in params.{field}",
            field=field,
        )
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    carried = str(tensor.dtype.base_dtype.name)
    return TensorSpec(name_of(tensor), dtype, shape, carried=carried if carried != dtype else "")


def first_names(tensors: Iterable[Any], shapes: Iterable[Any] = ()) -> set[str]:
    """The names that the model gives to the first sizes of placeholders, if it names any.

    ``shapes``: what else tells their shapes, TensorShapeProtos or Nones.
    """
    told = [t.op.node_def.attr["shape"].shape for t in tensors if "shape" in t.op.node_def.attr]
    told += [shape for shape in shapes if shape is not None]
    return {shape.dim[0].name for shape in told if shape.dim} - {""}


def signature_of(
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    axis: BatchAxis | None = None,
    names: Collection[str] = (),
) -> Signature:
    """The signature, its batch axis the one that the params give, or else told by the shapes.

    It is free if all are known to begin with a free size, or of unknown rank if it is outputs:
    of these, runs will tell. ``names`` are those of the inputs' first sizes: if they differ, so
    may the sizes. Raises CannotServe if the shapes do not allow ``axis``.
    """
    if axis is not None:
        _check(axis, inputs, outputs)
        return Signature(tuple(inputs), tuple(outputs), axis)
    varying = _varying(outputs)
    known = [spec for spec in varying if spec.shape is not None]
    if _all_begin_with(None, inputs) and len(names) < 2 and _all_begin_with(None, known):
        return Signature(tuple(inputs), tuple(outputs), BatchAxis.FREE)
    one = _all_begin_with(1, inputs) and _all_begin_with(1, varying)
    return Signature(tuple(inputs), tuple(outputs), BatchAxis.ONE if one else BatchAxis.NONE)


def _all_begin_with(size: int | None, specs: Sequence[TensorSpec]) -> bool:
    return all(spec.shape and spec.shape[0] == size for spec in specs)


def _varying(outputs: Sequence[TensorSpec]) -> list[TensorSpec]:
    return [spec for spec in outputs if not spec.constant]


def _check(axis: BatchAxis, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
    allowed = {BatchAxis.FREE: (None,), BatchAxis.ONE: (1, None)}.get(axis)
    if allowed is None:
        return
    sides = [("input", spec) for spec in inputs] + [("output", s) for s in _varying(outputs)]
    for side, spec in sides:
        if spec.shape is not None and (not spec.shape or spec.shape[0] not in allowed):
            first = "1 or a free size" if axis is BatchAxis.ONE else "a free size"
            raise CannotServe(
                f'params.batch.axis is "{axis}", but {side} {spec.name!r} is {spec}: its shape does'
                f" not begin with {first}",
                field="batch.axis",
            )
