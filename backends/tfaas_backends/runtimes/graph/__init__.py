"""The ``graph`` runtime, a plugin: frozen TensorFlow graphs."""

from __future__ import annotations

from collections.abc import Mapping

from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_core.hookspecs import hookimpl
from tfaas_core.runtime import Runtime


@hookimpl
def tfaas_register_runtimes() -> Mapping[str, Runtime]:
    return {"graph": GraphRuntime()}
