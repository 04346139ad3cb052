"""A model of LiteRT, open. Imports LiteRT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tfaas_core.runtime import CannotAccelerate, FastModel
from tfaas_core.tensors import Array, Signature, TensorSpec


class LiteModel(FastModel):
    """Runs an interpreter, whose tensors are resized if the number of rows is another one."""

    def __init__(self, content: bytes, signature: Signature, threads: int) -> None:
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=threads)
        except ValueError as error:
            raise CannotAccelerate(f"LiteRT cannot open it: {_said(error)}") from None
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        _check("input", inputs, signature.inputs)
        _check("output", outputs, signature.outputs)
        self._places: list[int] = [one["index"] for one in inputs]
        self._answers: list[int] = [one["index"] for one in outputs]
        self._rows = -1

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        interpreter, places = self._interpreter, self._places
        if len(inputs[0]) != self._rows:
            self._resize(inputs)
        # What recurrent layers keep between runs is no other request's.
        interpreter.reset_all_variables()
        for place, array in zip(places, inputs, strict=True):
            interpreter.set_tensor(place, array)
        interpreter.invoke()
        return [interpreter.get_tensor(place) for place in self._answers]

    def close(self) -> None:
        del self._interpreter

    def _resize(self, inputs: Sequence[Array]) -> None:
        self._rows = -1  # until it has worked
        for place, array in zip(self._places, inputs, strict=True):
            self._interpreter.resize_tensor_input(place, array.shape, strict=True)
        self._interpreter.allocate_tensors()
        self._rows = len(inputs[0])


def _check(what: str, details: Sequence[Any], specs: Sequence[TensorSpec]) -> None:
    if len(details) != len(specs):
        raise CannotAccelerate(f"converted, it has {len(details)} {what}s, not {len(specs)}")
    for one, spec in zip(details, specs, strict=True):
        dtype = np.dtype(one["dtype"])
        if spec.dtype == "string" or dtype != spec.numpy_dtype:
            raise CannotAccelerate(f"LiteRT has no {spec.dtype} for its {what} {spec.name!r}")


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
