"""A runtime of a plugin with a second engine of its own, which can be told to misbehave."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from tfaas_core.models.params import Params
from tfaas_core.runtime import Accelerator, CannotAccelerate, FastModel, LoadOptions, Servable
from tfaas_core.tensors import Array, Signature
from tfaas_core.testing.runtime import SIGNATURE, AddingServable, FakeRuntime, FakeServable

SLOW_S = 0.001

OFF_BY = np.float32(1 + 2**-18)
"""The fast model's answers are so many times the slow one's: by this they are told apart."""


class SlowServable(FakeServable):
    """Answers each row with its sum, slowly; NaN, and none of it, too."""

    def __init__(self, kind: str) -> None:
        super().__init__(lambda rows: time.sleep(SLOW_S))
        self.kind = kind
        self.is_awake = True

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        assert self.is_awake, "it runs while it rests"
        return super().run(inputs)

    def rest(self) -> bool:
        self.is_awake = False
        return True

    def reset(self) -> None:
        self.is_awake = True


class NamedAddingServable(AddingServable):
    signature = msgspec.structs.replace(SIGNATURE, name="adding")


class OddFastModel(FastModel):
    def __init__(self, kind: str) -> None:
        self._kind = kind

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        (rows,) = inputs
        sums = rows.sum(axis=1, keepdims=True, dtype=np.float32) * OFF_BY
        match self._kind:
            case "wrong":
                sums *= np.float32(1.001)
            case "dies" if 666.0 in rows:
                os.abort()
        return [sums]


class OddAccelerator(Accelerator):
    """Its models do what the words behind ``fast`` in their artifacts say."""

    name = "Swift"
    first = "Slow"

    def versions(self) -> Sequence[str]:
        return ("swift 1.0",)

    def convert(self, servable: Servable) -> bytes:
        assert isinstance(servable, SlowServable)
        match servable.kind:
            case "unfit":
                raise CannotAccelerate("it has an op that Swift lacks")
            case "raising":
                raise SystemExit("enough\nof this")
            case "aborting":
                os.abort()
            case "hanging":
                time.sleep(3600)
            case "eating":
                np.ones(5 * 2**30, np.uint8)
            case "telling":
                print("a converter tells much", file=sys.stderr, flush=True)
            case "eating-some":
                np.ones(2**30, np.uint8)
            case "huge":
                return bytes(2 << 20)
        return servable.kind.encode()

    def open(self, converted: bytes, signature: Signature, threads: int) -> FastModel:
        if converted == b"dies-when-it-serves" and not _is_trial():
            os.abort()
        return OddFastModel(converted.decode())


def _is_trial() -> bool:
    """It gives way to all others."""
    return os.getpriority(os.PRIO_PROCESS, 0) == 19


class FastRuntime(FakeRuntime):
    """Loads ``fast KIND``, and what a FakeRuntime loads."""

    def accelerator(self) -> Accelerator:
        return OddAccelerator()

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        match artifact.read_text().split():
            case ["fast", "beside-state"] if options.signatures is None:
                servable = SlowServable("good")
                servable.others = {"adding": NamedAddingServable(lambda: None)}
                return servable
            case ["fast", kind]:
                return SlowServable(kind)
        return super().load(artifact, params, options)
