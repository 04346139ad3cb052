"""The part of Runtime's contract that takes processes; called through ``children.apart``."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tfaas_core.errors import TfaasError
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Runtime

_HEAVY = ("tensorflow", "keras", "torch", "jax", "onnxruntime", "sklearn", "ai_edge_litert")

_END_WITHIN_S, _LOOK_EVERY_S = 1.0, 0.01


def heavy_after_claim(make: Callable[[], Runtime], artifact: Path, file_name: str) -> list[str]:
    """Which heavy modules, and which that are to be preloaded, are there after a claim."""
    runtime = make()
    runtime.claim(artifact, file_name)
    if artifact.is_dir():
        list(runtime.find(artifact))
    runtime.file_name(file_name)
    return [name for name in (*runtime.preload, *_HEAVY) if name in sys.modules]


def threads_of_preloads(make: Callable[[], Runtime]) -> int:
    """How many threads the modules start, and do not end, that are to be preloaded."""
    runtime = make()
    before = _threads()
    for name in runtime.preload:
        importlib.import_module(name)
    # The kernel tells of one that has ended for a moment longer.
    end_s = time.monotonic() + _END_WITHIN_S
    while (stay := _threads() - before) > 0 and time.monotonic() < end_s:
        time.sleep(_LOOK_EVERY_S)
    return stay


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def wrong_refusals(
    make: Callable[[], Runtime], damaged: Sequence[tuple[Path, Params]]
) -> list[str]:
    """What is wrong with how the runtime loads damaged models: a line each.

    It is to refuse them with BadBody or CannotServe, or one of their kind, in one line.
    """
    runtime, wrong = make(), []
    for artifact, params in damaged:
        for doing in (_load, _count_ops):
            try:
                doing(runtime, artifact, params)
            except TfaasError as error:
                if error.status not in (400, 422) or not error.message.isprintable():
                    wrong.append(f"{artifact.name}: {error.status} {error.message!r}")
            except Exception as error:
                wrong.append(f"{artifact.name}: {error!r}")
    return wrong


def _load(runtime: Runtime, artifact: Path, params: Params) -> None:
    runtime.load(artifact, params, LoadOptions(threads=1)).close()


def _count_ops(runtime: Runtime, artifact: Path, params: Params) -> None:
    runtime.count_ops(artifact, params)
