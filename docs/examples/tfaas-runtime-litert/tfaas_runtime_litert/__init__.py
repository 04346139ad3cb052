"""Models of TensorFlow Lite for TFaaS, run by LiteRT."""

from __future__ import annotations

from collections.abc import Mapping

from tfaas_core.hookspecs import hookimpl
from tfaas_core.runtime import Runtime
from tfaas_runtime_litert.runtime import LiteRuntime


@hookimpl
def tfaas_register_runtimes() -> Mapping[str, Runtime]:
    """The runtime ``litert``."""
    return {"litert": LiteRuntime()}
