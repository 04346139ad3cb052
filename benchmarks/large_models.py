"""Large SavedModels: ``python -m benchmarks.large_models FOLDER KIND MIB`` writes one.

It runs in a process of its own, so that the one that measures never holds TensorFlow. They take
``x``, float32 [None, 4], and answer ``y``, float32 [None, 1].
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

TABLES, MATRICES = "tables", "matrices"
"""A run gathers a row of each of the first; it reads all of the others."""

_COUNT, _COLUMNS, _INPUTS = 4, 8192, 4


def main(folder: Path, kind: str, mib: int) -> None:
    """Saves so much of variables, four of them."""
    import numpy as np
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    rows = (mib << 20) // (_COUNT * _COLUMNS * 4)
    random = np.random.default_rng(1)
    module = tf.Module()
    module.weights = [
        tf.Variable(random.random((rows, _COLUMNS), np.float32)) for _ in range(_COUNT)
    ]
    answer = {TABLES: _gathered, MATRICES: _multiplied}[kind]
    body = _summed(answer, module)
    specs = [tf.TensorSpec([None, _INPUTS], tf.float32, "x")]
    module.serve = tf.function(body, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve})


def _summed(answer: Callable[[Any, Any], Any], module: Any) -> Callable[[Any], dict[str, Any]]:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    def serve(x: Any) -> dict[str, Any]:
        answers = [answer(x, weights) for weights in module.weights]
        return {"y": tf.reduce_sum(tf.add_n(answers), 1, keepdims=True)}

    return serve


def _gathered(x: Any, table: Any) -> Any:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    return tf.gather(table, tf.cast(x[:, 0], tf.int32))


def _multiplied(x: Any, matrix: Any) -> Any:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    return tf.pad(x, [[0, 0], [0, int(matrix.shape[0]) - _INPUTS]]) @ matrix


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
