"""ONNX models for TFaaS."""

from __future__ import annotations

from collections.abc import Mapping

from tfaas_core.hookspecs import hookimpl
from tfaas_core.runtime import Runtime
from tfaas_runtime_onnx.runtime import OnnxRuntime


@hookimpl
def tfaas_register_runtimes() -> Mapping[str, Runtime]:
    """The runtime ``onnx``."""
    return {"onnx": OnnxRuntime()}
