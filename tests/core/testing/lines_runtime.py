"""A right runtime for the suite to pass, and for wrong ones to derive from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tfaas_core.errors import BadBody
from tfaas_core.models.params import Params
from tfaas_core.runtime import Independence, LoadOptions, Runtime, Servable, Shapes, Verdict
from tfaas_core.tensors import Array, BatchAxis, Signature, TensorSpec
from tfaas_core.testing.runtimes import ModelSample, RuntimeContract

SIGNATURE = Signature(
    (TensorSpec("x", "float32", (None, 2)),),
    (TensorSpec("y", "float32", (None, 1)),),
    BatchAxis.FREE,
)
MARK = b'{"kind": "lines"'


class Sums(Servable):
    """Answers each row with its sum; if it keeps state, with the sum of all rows so far."""

    signature = SIGNATURE

    def __init__(self, stateful: bool) -> None:
        self.stateful = stateful
        self.total = np.float32(0)

    def independence(self, shapes: Shapes | None = None) -> Independence:
        return Independence(False, "it keeps state") if self.stateful else Independence(True)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        sums = inputs[0].sum(axis=1, keepdims=True, dtype=np.float32)
        if self.stateful:
            sums = self.total + sums.cumsum(axis=0, dtype=np.float32)
            self.total = sums[-1, 0] if len(sums) else self.total
        return [sums]

    def reset(self) -> None:
        self.total = np.float32(0)

    def close(self) -> None:
        """Has nothing to give back."""


class RightRuntime(Runtime):
    """Loads JSON files with a mark."""

    suffixes = (".lines",)
    nouns = ("file of lines", "files of lines")
    servable: ClassVar[type[Any]] = Sums

    def claim(self, artifact: Path, file_name: str) -> Verdict:
        if not artifact.is_file() or not artifact.read_bytes().startswith(MARK):
            return Verdict.NO
        return Verdict.SURE

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        try:
            document = json.loads(artifact.read_bytes())
            servable: Servable = self.servable(bool(document["stateful"]))
            return servable
        except (ValueError, LookupError, TypeError):
            raise BadBody("the model is no JSON with a mark") from None

    def count_ops(self, artifact: Path, params: Params) -> dict[str, int]:
        return {"Sum": 1}


def _model(stateful: bool) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        file = folder / "vk.lines"
        file.write_bytes(MARK + b', "stateful": ' + json.dumps(stateful).encode() + b"}")
        return file

    return make


class RuntimeSamples(RuntimeContract):
    make_runtime = RightRuntime
    samples: ClassVar[list[ModelSample]] = [
        ModelSample(
            _model(stateful),
            SIGNATURE,
            [np.array([[1, 2], [3, 4]], np.float32)],
            [np.array([[3], [10 if stateful else 7]], np.float32)],
            file_name="vk.lines",
        )
        for stateful in (False, True)
    ]
