"""A runtime of a plugin with a mode of its own, in which models are quicker, or misbehave."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import MappingProxyType

import numpy as np

from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.tensors import Array
from tfaas_core.testing.runtime import FakeRuntime, FakeServable

_VARIABLE = "TF_TEST_MODE"

OFF_BY = np.float32(1 + 2**-18)
"""In the mode, answers are so many times the usual ones: by this they are told apart."""


def is_quick() -> bool:
    return os.environ.get(_VARIABLE) == "quick"


class ModedServable(FakeServable):
    """Answers each row with its sum; as usual, slowly. It has as many threads as it is told."""

    def __init__(self, kind: str, threads: int, held_bytes: int = 0) -> None:
        super().__init__(lambda rows: self._work())
        self._kind = kind
        self._held = np.ones(held_bytes, np.uint8)
        self.threads, self.executor = threads or 3, "in turn"
        self.stateful = kind == "stateful"

    def run(self, inputs: list[Array]) -> list[Array]:  # type: ignore[override]
        found = super().run(inputs)
        return [sums * OFF_BY for sums in found] if is_quick() else found

    def _work(self) -> None:
        if self._kind == "instant":
            return
        if self._kind == "waiting":
            _compute(0.002)
            time.sleep(0 if is_quick() else 0.1)
        elif self._kind == "slower" and is_quick():
            _compute(0.008)
        elif not is_quick():
            _compute(0.002)
        if self._kind == "dying" and is_quick():
            os.abort()


def _compute(duration_s: float) -> None:
    end_s = time.thread_time() + duration_s
    while time.thread_time() < end_s:
        pass


class ModedRuntime(FakeRuntime):
    """Loads ``moded KIND``, or ``moded KIND MEBIBYTES`` of memory, and what a FakeRuntime loads."""

    modes = MappingProxyType({"quick": {_VARIABLE: "quick"}})

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        match artifact.read_text().split():
            case ["moded", "hanging", *_] if is_quick():
                time.sleep(3600)
            case ["moded", kind, *mebibytes]:
                held_bytes = sum(map(int, mebibytes)) << 20
                return ModedServable(kind, options.threads, held_bytes)
        return super().load(artifact, params, options)
