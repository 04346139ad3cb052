"""The ``saved_model`` runtime, a plugin: TensorFlow's SavedModel folders."""

from __future__ import annotations

from collections.abc import Mapping

from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime
from tfaas_core.hookspecs import hookimpl
from tfaas_core.runtime import Runtime


@hookimpl
def tfaas_register_runtimes() -> Mapping[str, Runtime]:
    return {"saved_model": SavedModelRuntime()}
