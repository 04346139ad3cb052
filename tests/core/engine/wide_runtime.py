"""A runtime whose models give long answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.runtime import SIGNATURE, FakeRuntime, FakeServable

WIDTH = 1 << 22
"""Of the answer to a row, in float32."""


class WideServable(FakeServable):
    """Answers each row with its first number, again and again."""

    signature = msgspec.structs.replace(
        SIGNATURE, outputs=(TensorSpec("wide", "float32", (None, WIDTH)),)
    )

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return [np.repeat(inputs[0][:, :1], WIDTH, axis=1)]


class WideRuntime(FakeRuntime):
    """Loads any file as a WideServable."""

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        return WideServable(lambda rows: None)
