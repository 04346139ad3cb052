"""An ONNX model, loaded. Imports ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# Else its maker is told of each model, as far as the process may open a socket.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from tfaas_core.errors import BadBody, CannotServe, DoesNotFit
from tfaas_core.models.params import Params
from tfaas_core.runtime import Servable
from tfaas_core.tensors import Array, Signature
from tfaas_runtime_onnx.graph import is_random, read_model
from tfaas_runtime_onnx.signature import signature_of

_BROKEN = (ort_errors.InvalidProtobuf, ort_errors.InvalidGraph, ort_errors.NoSuchFile)
_UNSUPPORTED = (ort_errors.NotImplemented, ort_errors.Fail, ort_errors.EPFail)
_BAD_VALUES = (ort_errors.InvalidArgument, ort_errors.RuntimeException, ort_errors.Fail)


class OnnxServable(Servable):
    """Runs one session of ONNX Runtime, on the processor."""

    def __init__(self, session: Any, signature: Signature, stateful: bool) -> None:
        self._session = session
        self.signature = signature
        self.stateful = stateful
        self._inputs = [(spec.name, spec.dtype == "string") for spec in signature.inputs]
        self._outputs = [spec.name for spec in signature.outputs]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        feed = {
            name: _texts(name, array) if is_text else array
            for (name, is_text), array in zip(self._inputs, inputs, strict=True)
        }
        try:
            outputs = self._session.run(self._outputs, feed)
        except ort_errors.NotImplemented as error:
            raise CannotServe(f"ONNX Runtime cannot run this model: {_said(error)}") from None
        except _BAD_VALUES as error:
            raise DoesNotFit(f"these values cannot be run: {_said(error)}") from None
        return [_bytes(array) if array.dtype == object else array for array in outputs]

    def close(self) -> None:
        del self._session


def load_onnx(file: Path, params: Params, threads: int) -> OnnxServable:
    """The model in ``file``, as Runtime.load gives it."""
    model = read_model(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # What goes wrong is raised; the rest is not for the server's log.
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
    except _BROKEN as error:
        raise BadBody(f"the model file is no ONNX model: {_said(error)}") from None
    except _UNSUPPORTED as error:
        raise CannotServe(f"ONNX Runtime cannot load this model: {_said(error)}") from None
    signature = signature_of(session.get_inputs(), session.get_outputs(), params)
    return OnnxServable(session, signature, is_random(model))


def _texts(name: str, array: Array) -> Array:
    """Bytes as ONNX Runtime takes strings, which are UTF-8."""
    try:
        texts = [value.decode() for value in array.flat]
    except UnicodeDecodeError:
        raise DoesNotFit(f"input {name!r} holds a string that is not UTF-8", field=name) from None
    return np.array(texts, object).reshape(array.shape)


def _bytes(array: Array) -> Array:
    found = np.empty(array.size, object)
    found[:] = [str(value).encode() for value in array.flat]
    return found.reshape(array.shape)


def _said(error: Exception) -> str:
    """What ONNX Runtime says, without its own code and the places in it."""
    text = str(error).rpartition(" : ")[2] if " : " in str(error) else str(error)
    return " ".join(text.split())[:300]
