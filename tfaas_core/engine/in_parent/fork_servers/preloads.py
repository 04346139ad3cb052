"""Preloads: the modules that a fork server imports for a runtime."""

from __future__ import annotations

from contextlib import suppress

from tfaas_core.runtime import CannotAccelerate, Runtime


def preloads(runtime: Runtime, accelerates: bool) -> tuple[str, ...]:
    """Those of the runtime, and of its accelerator if that is wanted and installed."""
    accelerator = runtime.accelerator() if accelerates else None
    with suppress(CannotAccelerate):
        if accelerator is not None:
            accelerator.versions()
            return (*runtime.preload, *accelerator.preload)
    return runtime.preload
