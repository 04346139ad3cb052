"""Servables made of functions, for tests that look at each run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tfaas_core.models.params import Params
from tfaas_core.runtime import Independence, LoadOptions, Runtime, Servable, Shapes, Verdict
from tfaas_core.tensors import Array, BatchAxis, Signature, TensorSpec

ROWS_OF_3 = TensorSpec("x", "float32", (None, 3))
UNPROVEN = "nobody has proven anything of it"
ANY_NUMBERS = TensorSpec("y", "float32", None)


class FunctionServable(Servable):
    """Answers with what a function makes of the inputs, and notes what it was asked to do.

    Unless told otherwise it takes rows of 3 numbers, is proven to have independent rows, and its
    one output is of unknown rank. If it has several, the function gives a list.
    """

    def __init__(
        self,
        function: Callable[..., Array | list[Array]],
        *inputs: TensorSpec,
        output: TensorSpec = ANY_NUMBERS,
        outputs: Sequence[TensorSpec] = (),
        batch: BatchAxis = BatchAxis.FREE,
        stateful: bool = False,
        proven: bool = True,
        by_shape: bool = False,
        on_reset: Callable[[], None] = lambda: None,
    ) -> None:
        self.signature = Signature(inputs or (ROWS_OF_3,), tuple(outputs) or (output,), batch)
        self.stateful = stateful
        self.runs: list[list[Array]] = []
        self.tunings: list[list[Array]] = []
        self.resets = 0
        self.closed = False
        self.asked: list[Shapes] = []
        self._proven = proven
        self._by_shape = by_shape
        self._on_reset = on_reset
        self._function = function

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        self.runs.append(list(inputs))
        outputs = self._function(*inputs)
        return outputs if isinstance(outputs, list) else [outputs]

    def independence(self, shapes: Shapes | None = None) -> Independence:
        if shapes is not None:
            self.asked.append(shapes)
        elif self._by_shape:
            return Independence(False, UNPROVEN, by_shape=True)
        return Independence(self._proven, "" if self._proven else UNPROVEN)

    def tune(self, inputs: Sequence[Array]) -> None:
        self.tunings.append(list(inputs))

    def reset(self) -> None:
        self.resets += 1
        self._on_reset()

    def close(self) -> None:
        self.closed = True


class OneServable(Runtime):
    """Loads the same servable from every artifact; for engines that run it in this process."""

    preload = ()

    def __init__(self, servable: Servable) -> None:
        self._servable = servable

    def claim(self, artifact: Path, file_name: str) -> Verdict:
        return Verdict.SURE

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        return self._servable
