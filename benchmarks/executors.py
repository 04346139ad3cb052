"""What a row costs by TensorFlow's usual executor, and by the one that runs ops in a row, in turn.

``python -m benchmarks.executors FILE.pb ...`` prints a table of these frozen graphs, and of the
demo model. Durations are medians of the process's own processor time, with one thread.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.graph.servable import GraphServable
from tfaas_backends.runtimes.tensorflow.session import GraphSession

from benchmarks.servers import ROOT
from tfaas_core.engine.in_model_process.warming.made_up import made_up_inputs, ramp
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions

_DEMO = ROOT / "backends" / "tfaas_backends" / "demo" / "particles.pb"
_ROUNDS, _CALLS = 41, 300


def main(files: Sequence[Path]) -> None:
    """Prints the table."""
    print("| network | with a queue, µs | in a row, µs | times as fast | equal bits |")
    print("| --- | --- | --- | --- | --- |")
    for file in files:
        servable = GraphRuntime().load(file, Params(), LoadOptions(threads=1))
        assert isinstance(servable, GraphServable)
        session = servable.session
        queued = GraphSession(session.opened.graph, session.feeds, 1)
        inputs = made_up_inputs(servable.signature, 1, 1, ramp)
        both = [partial(queued.run, inputs), partial(servable.run, inputs)]
        equal = all(map(np.array_equal, *(run() for run in both)))
        pairs = [[_cost_s(run) for run in both] for _ in range(_ROUNDS)]
        one, other = (median(side) * 1e6 for side in zip(*pairs, strict=True))
        times = median(a / b for a, b in pairs)
        print(f"| {file.stem} | {one:.1f} | {other:.1f} | {times:.2f} | {equal} |", flush=True)


def _cost_s(run: Callable[[], object]) -> float:
    begin_s = time.process_time()
    for _ in range(_CALLS):
        run()
    return (time.process_time() - begin_s) / _CALLS


if __name__ == "__main__":
    main([_DEMO, *map(Path, sys.argv[1:])])
