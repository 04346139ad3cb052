"""A model of TensorFlow Lite, loaded. Imports LiteRT."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfaas_core.errors import BadBody, CannotServe, DoesNotFit
from tfaas_core.models.params import Params
from tfaas_core.runtime import Servable
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, Signature, TensorSpec

_DEFAULT = "serving_default"


class LiteServable(Servable):
    """Runs one signature of an interpreter, or its whole graph if that has none."""

    stateful = False

    def __init__(self, interpreter: Any, name: str, params: Params) -> None:
        self._interpreter = interpreter
        self._runner = interpreter.get_signature_runner(name) if name else None
        if self._runner is None:
            inputs = {one["name"]: one for one in interpreter.get_input_details()}
            outputs = {one["name"]: one for one in interpreter.get_output_details()}
        else:
            inputs, outputs = self._runner.get_input_details(), self._runner.get_output_details()
        self._places = [one["index"] for one in inputs.values()]
        self._answers = [one["index"] for one in outputs.values()]
        specs = tuple(_specs("input", inputs)), tuple(_specs("output", outputs))
        axis = params.batch.axis or _axis_of([*specs[0], *specs[1]])
        self.signature = Signature(*specs, axis, name=name)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        # What recurrent layers keep between runs is no other request's.
        self._interpreter.reset_all_variables()
        try:
            if self._runner is None:
                return self._run_graph(inputs)
            names = (spec.name for spec in self.signature.inputs)
            outputs = self._runner(**dict(zip(names, inputs, strict=True)))
        except (ValueError, RuntimeError) as error:
            raise DoesNotFit(f"these values cannot be run: {_said(error)}") from None
        return [outputs[spec.name] for spec in self.signature.outputs]

    def _run_graph(self, inputs: Sequence[Array]) -> list[Array]:
        for place, array in zip(self._places, inputs, strict=True):
            self._interpreter.resize_tensor_input(place, array.shape, strict=True)
        self._interpreter.allocate_tensors()
        for place, array in zip(self._places, inputs, strict=True):
            self._interpreter.set_tensor(place, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(place) for place in self._answers]

    def close(self) -> None:
        del self._runner, self._interpreter


def load_lite(artifact: Path, params: Params, threads: int) -> LiteServable:
    """The model in the file ``artifact``, as Runtime.load gives it."""
    try:
        interpreter = Interpreter(model_path=str(artifact), num_threads=threads)
        names = list(interpreter.get_signature_list())
    except ValueError as error:
        raise BadBody(f"the model file is none of TensorFlow Lite: {_said(error)}") from None
    try:
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise CannotServe(f"LiteRT cannot load this model: {_said(error)}") from None
    return LiteServable(interpreter, _chosen(names, params.signature), params)


def _chosen(names: list[str], wanted: str) -> str:
    """The signature that the params name, or else the usual one, or the only one; empty: none."""
    if wanted and wanted not in names:
        listed = ", ".join(names) or "none"
        raise CannotServe(
            f"the model has no signature {wanted[:80]!r}; there are: {listed}", field="signature"
        )
    if wanted or not names:
        return wanted
    if _DEFAULT in names:
        return _DEFAULT
    if len(names) > 1:
        raise CannotServe(
            f'the model has several signatures; name one in params, as "signature": '
            f"{' or '.join(names)}",
            field="signature",
        )
    return names[0]


def _specs(what: str, details: dict[str, Any]) -> Iterable[TensorSpec]:
    for name, one in details.items():
        dtype = np.dtype(one["dtype"]).name
        if dtype not in NUMPY_DTYPES:
            raise CannotServe(f"{what} {name!r} is {dtype}, which no request or answer can hold")
        sizes = one.get("shape_signature", one["shape"])
        yield TensorSpec(name, dtype, tuple(None if s < 0 else int(s) for s in sizes))


def _axis_of(specs: Sequence[TensorSpec]) -> BatchAxis:
    for axis, size in ((BatchAxis.FREE, None), (BatchAxis.ONE, 1)):
        if all(spec.shape and spec.shape[0] == size for spec in specs):
            return axis
    return BatchAxis.NONE


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
