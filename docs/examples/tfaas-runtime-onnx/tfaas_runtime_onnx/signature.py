"""The signature of an ONNX model: what a client sends it, and gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tfaas_core.errors import CannotServe
from tfaas_core.models.params import Params
from tfaas_core.tensors import NUMPY_DTYPES, BatchAxis, Signature, TensorSpec

_DTYPES = {"float": "float32", "double": "float64"}
"""ONNX Runtime's names of the dtypes that TensorFlow, and so the server, calls otherwise."""


def signature_of(inputs: Iterable[Any], outputs: Iterable[Any], params: Params) -> Signature:
    """All inputs, and the outputs that ``params`` name, or else all that are tensors.

    ``inputs`` and ``outputs`` are NodeArgs of ONNX Runtime. Raises CannotServe.
    """
    wanted = params.output_nodes
    specs, left_out = [], []
    for output in outputs:
        spec = _spec_of(output)
        if spec is None:
            left_out.append(f"{output.name} ({output.type})")
        elif not wanted or output.name in wanted:
            specs.append(spec)
    missing = set(wanted) - {spec.name for spec in specs}
    if missing or not specs:
        what = f"has no output {min(missing)!r} that is a tensor" if missing else "has no tensor"
        raise CannotServe(f"the model {what} to answer with", field="outputNode")
    taken = [_input_spec(one) for one in inputs]
    axis = params.batch.axis or _axis_of(taken, specs)
    return Signature(tuple(taken), tuple(specs), axis, left_out=tuple(left_out))


def _input_spec(given: Any) -> TensorSpec:
    spec = _spec_of(given)
    if spec is None:
        raise CannotServe(f"input {given.name!r} is {given.type}, which no request can hold")
    return spec


def _spec_of(given: Any) -> TensorSpec | None:
    """None if no request or answer can hold it: sequences and maps, and a few dtypes."""
    element = given.type.removeprefix("tensor(").removesuffix(")")
    dtype = _DTYPES.get(element, element)
    if not given.type.startswith("tensor(") or dtype not in NUMPY_DTYPES:
        return None
    # A size that requests choose is a name, or nothing at all.
    shape = tuple(size if isinstance(size, int) else None for size in given.shape)
    return TensorSpec(given.name, dtype, shape)


def _axis_of(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> BatchAxis:
    for axis, size in ((BatchAxis.FREE, None), (BatchAxis.ONE, 1)):
        if all(spec.shape and spec.shape[0] == size for spec in (*inputs, *outputs)):
            return axis
    return BatchAxis.NONE
