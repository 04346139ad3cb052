"""The ``graph`` runtime does what every runtime does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tfaas_core.tensors import BatchAxis, Signature, TensorSpec
from tfaas_core.testing.runtimes import ModelSample, RuntimeContract


def frozen(build: Callable[[], object]) -> Callable[[Path], Path]:
    """Writes the graph that ``build`` builds."""

    def make(folder: Path) -> Path:
        graph = tf.Graph()
        with graph.as_default():
            build()
        file = folder / "frozen.pb"
        file.write_bytes(graph.as_graph_def().SerializeToString())
        return file

    return make


def placeholder(shape: list[int | None], dtype: Any = tf.float32) -> Any:
    return tf.compat.v1.placeholder(dtype, shape, name="x")


class TestGraphRuntime(RuntimeContract):
    make_runtime = GraphRuntime
    samples: ClassVar[list[ModelSample]] = [
        ModelSample(
            frozen(lambda: tf.negative(placeholder([None, 2]), name="y")),
            Signature(
                (TensorSpec("x", "float32", (None, 2)),),
                (TensorSpec("y", "float32", (None, 2)),),
                BatchAxis.FREE,
            ),
            [np.array([[1, 2], [3, 4]], np.float32)],
            [np.array([[-1, -2], [-3, -4]], np.float32)],
            file_name="vk.pb",
        ),
        ModelSample(
            frozen(lambda: tf.reduce_sum(placeholder([3], tf.int64), name="y")),
            Signature(
                (TensorSpec("x", "int64", (3,)),), (TensorSpec("y", "int64", ()),), BatchAxis.NONE
            ),
            [np.array([1, 2, 3])],
            [np.array(6)],
        ),
    ]
