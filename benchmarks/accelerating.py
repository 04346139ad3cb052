"""What a row costs by TensorFlow and by LiteRT, in one process, in turn.

``python -m benchmarks.accelerating FILE.pb ...`` prints a table of these frozen graphs, and of the
demo model. Durations are medians of the process's own processor time, with one thread, so that what
else the machine does counts for little.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.litert.accelerator import LiteAccelerator

from benchmarks.servers import ROOT
from tfaas_core.engine.in_model_process.accelerating.accelerated import (
    AcceleratedServable,
    inner_shapes,
)
from tfaas_core.engine.in_model_process.warming.made_up import made_up_inputs
from tfaas_core.models.params import Params
from tfaas_core.runtime import CannotAccelerate, LoadOptions, Servable
from tfaas_core.system.output.muted import stderr_muted
from tfaas_core.tensors import Array

_DEMO = ROOT / "backends" / "tfaas_backends" / "demo" / "particles.pb"
_SIZES = (1, 32, 1024)
_ROUNDS, _ROUNDS_S, _CALLS_S = 15, 4.0, 0.02


def main(files: Sequence[Path]) -> None:
    """Prints the table."""
    print("| network | rows | TensorFlow, µs a row | LiteRT, µs a row | times as fast |")
    print("| --- | --- | --- | --- | --- |")
    for file in files:
        first = GraphRuntime().load(file, Params(), LoadOptions(threads=1))
        try:
            both = _accelerated(first)
        except CannotAccelerate as error:
            print(f"| {file.stem} | | | {error} | |")
            continue
        for rows in _SIZES:
            _print(file.stem, rows, first, both)


def _accelerated(first: Servable) -> Servable:
    inner_shapes(first.signature)
    accelerator = LiteAccelerator()
    with stderr_muted():
        fast = accelerator.open(accelerator.convert(first), first.signature, 1)
    both = AcceleratedServable(first, may_rest=False)
    both.take(fast, max(_SIZES))
    return both


def _print(name: str, rows: int, first: Servable, both: Servable) -> None:
    random = np.random.default_rng(1)
    inputs = made_up_inputs(first.signature, rows, 1, lambda r, c: random.random((r, c)))
    calls = _calls(first.run, inputs)
    pairs: list[tuple[float, float]] = []
    end_s = time.monotonic() + _ROUNDS_S
    while len(pairs) < _ROUNDS and (not pairs or time.monotonic() < end_s):
        pairs.append((_cost_s(first.run, inputs, calls), _cost_s(both.run, inputs, calls)))
    one, other = (median(side) / rows * 1e6 for side in zip(*pairs, strict=True))
    times = median(a / b for a, b in pairs)
    print(f"| {name} | {rows} | {one:.2f} | {other:.2f} | {times:.2f} |", flush=True)


def _calls(run: Callable[[Sequence[Array]], object], inputs: Sequence[Array]) -> int:
    run(inputs)
    return max(1, int(_CALLS_S / _cost_s(run, inputs, 1)))


def _cost_s(run: Callable[[Sequence[Array]], object], inputs: Sequence[Array], calls: int) -> float:
    begin_s = time.process_time()
    for _ in range(calls):
        run(inputs)
    return (time.process_time() - begin_s) / calls


if __name__ == "__main__":
    main([_DEMO, *map(Path, sys.argv[1:])])
