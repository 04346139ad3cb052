"""How long the proof takes that a network's rows are independent, as a model process makes it.

``python -m benchmarks.proofs FILE ...`` prints it as JSON for frozen graphs, in a process of its
own, so that the one that measures a server never holds TensorFlow.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec
import numpy as np

_RUNS = 7


class Measured(msgspec.Struct, frozen=True):
    """``ms``: of reading the graph for the proof and of proving, the median of 7."""

    name: str
    nodes: int
    ms: float
    verdict: str


def measured(file: Path) -> Measured:
    """The proof for one frozen graph, with the inputs and outputs that a server finds."""
    from tfaas_backends.runtimes.graph.runtime import GraphRuntime
    from tfaas_backends.runtimes.independence.prover import Proof, Prover
    from tfaas_backends.runtimes.tensorflow.graph_file import prepare, read_graph

    from tfaas_core.models.params import Params
    from tfaas_core.runtime import LoadOptions

    servable = GraphRuntime().load(file, Params(), LoadOptions(threads=1))
    signature, graph_def = servable.signature, read_graph(file)
    servable.close()
    prepare(graph_def, {spec.name for spec in signature.inputs})
    inputs, outputs = (
        [f"{s.name}:0" for s in side] for side in (signature.inputs, signature.outputs)
    )
    shapes = [spec.shape or _sample_shape(file, spec.name) for spec in signature.inputs]

    def prove() -> Proof:
        return Prover(graph_def, inputs, outputs).prove(shapes)

    proof = prove()
    verdict = "share runs" if proof.mergeable else f"do not: {proof.why}"
    return Measured(file.stem, len(graph_def.node), _duration_ms(prove), verdict)


def _sample_shape(file: Path, name: str) -> tuple[int | None, ...] | None:
    """Of an input whose shape the graph does not tell: that of its rows in NAME.npz, if any."""
    samples = file.with_suffix(".npz")
    if not samples.is_file():
        return None
    with np.load(samples) as arrays:
        return (None, *arrays[f"in:{name}"].shape[1:])


def _duration_ms(work: Callable[[], object]) -> float:
    durations = []
    for _ in range(_RUNS):
        start_s = time.perf_counter()
        work()
        durations.append(1000 * (time.perf_counter() - start_s))
    return median(durations)


if __name__ == "__main__":
    print(msgspec.json.encode([measured(Path(file)) for file in sys.argv[1:]]).decode())
