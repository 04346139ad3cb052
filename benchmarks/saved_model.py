"""The benchmark's network as a SavedModel: the frozen graph's own numbers, as variables.

``python -m benchmarks.saved_model FOLDER`` writes it, in a process of its own, so that the one that
measures never holds TensorFlow.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.servers import ROOT, BenchmarkFailedError

_MODULE = "benchmarks.saved_model"


def write(folder: Path) -> Path:
    """Writes the SavedModel's new ``folder``."""
    write_by(_MODULE, folder)
    return folder


def write_by(module: str, folder: Path, *arguments: Path) -> None:
    """Has ``python -m MODULE FOLDER ARGUMENTS`` write a new folder."""
    command = [sys.executable, "-m", module, str(folder), *map(str, arguments)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BenchmarkFailedError(f"{module} cannot write its models:\n{run.stderr}")


def main(folder: Path) -> None:
    """Saves with the signature ``particles`` float32 [None, 42] to ``signal`` float32 [None, 1]."""
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    from benchmarks.network import FEATURES, graph_file

    graph = tf.compat.v1.GraphDef.FromString(graph_file().read_bytes())
    constants = {
        node.name: tf.make_ndarray(node.attr["value"].tensor)
        for node in graph.node
        if node.op == "Const"
    }
    layers = sorted(name.removesuffix("/kernel") for name in constants if name.endswith("/kernel"))
    module = tf.Module()
    module.kernels = [tf.Variable(constants[f"{layer}/kernel"]) for layer in layers]
    module.biases = [tf.Variable(constants[f"{layer}/bias"]) for layer in layers]

    def serve(particles):  # type: ignore[no-untyped-def]
        tensor = particles
        for kernel, bias in zip(module.kernels[:-1], module.biases[:-1], strict=True):
            tensor = tf.nn.relu(tensor @ kernel + bias)
        return {"signal": tf.sigmoid(tensor @ module.kernels[-1] + module.biases[-1])}

    specs = [tf.TensorSpec([None, FEATURES], tf.float32, "particles")]
    module.serve = tf.function(serve, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
