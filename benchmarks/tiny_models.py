"""Small models for pictures, and slow ones, as frozen graphs.

``python -m benchmarks.tiny_models FOLDER`` writes them, in a process of its own, so that the one
that measures never holds TensorFlow. They take ``x`` and answer ``y``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.saved_model import write_by

GREY_28 = "grey-28"
COLOUR_480X640 = "colour-480x640"
COLOUR_224 = "colour-224"
LEVELS_480X640 = "levels-480x640"
"""As COLOUR_480X640, but of uint8."""
WIDE, WIDE_BOTH = "wide", "wide-both"
"""36,000 numbers a row, as DeepMET takes them: to one, and to as many."""
FEATURES = 36_000
WAITING = "waiting"
BURNING = "burning"
SLOW_S = 0.1
"""Of one run of the last two. The first sleeps and burns no processor time, the other burns one
core."""
BRIEF = "burning-briefly"
BRIEF_S = 0.005
"""As BURNING, for so long."""

_SIDE = 256


def write(folder: Path) -> dict[str, Path]:
    """Writes all of them into the new ``folder``: their files, by name."""
    write_by("benchmarks.tiny_models", folder)
    return {file.stem: file for file in folder.glob("*.pb")}


def main(folder: Path) -> None:
    """Writes ``NAME.pb`` for each of the names above."""
    folder.mkdir()
    graphs = {
        GREY_28: _graph(_classes, (28, 28)),
        COLOUR_480X640: _graph(_classes, (480, 640, 3)),
        COLOUR_224: _graph(_classes, (224, 224, 3)),
        LEVELS_480X640: _graph(_classes_of_levels, (480, 640, 3), "uint8"),
        WIDE: _graph(_sum, (FEATURES,)),
        WIDE_BOTH: _graph(_negate, (FEATURES,)),
        WAITING: _graph(_wait, (1,)),
        BURNING: _burning(SLOW_S),
        BRIEF: _burning(BRIEF_S),
    }
    for name, graph in graphs.items():
        (folder / f"{name}.pb").write_bytes(graph.as_graph_def().SerializeToString())


def _graph(make: Callable[[Any], Any], row: tuple[int, ...], dtype: str = "float32") -> Any:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    graph = tf.Graph()
    with graph.as_default():
        tf.identity(make(tf.compat.v1.placeholder(dtype, [None, *row], "x")), "y")
    return graph


def _classes(pictures: Any) -> Any:
    """float32 [rows, 10]: a layer over 7 x 7 means, or so, which costs little."""
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    if len(pictures.shape) == 3:
        pictures = tf.expand_dims(pictures, -1)
    height, width, channels = pictures.shape[1:]
    block = [height // 7, width // 7]
    means = tf.nn.avg_pool2d(pictures / 255.0, block, block, "VALID")
    flat = tf.reshape(means, [-1, int(means.shape[1]) * int(means.shape[2]) * channels])
    # The same numbers each time, so that figures of different days belong to the same model.
    weights = tf.linspace(-1.0, 1.0, int(flat.shape[1]) * 10)
    return tf.nn.softmax(flat @ tf.reshape(weights, [-1, 10]))


def _classes_of_levels(pictures: Any) -> Any:
    """The same of uint8."""
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    return _classes(tf.cast(pictures, tf.float32))


def _sum(rows: Any) -> Any:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    return tf.reduce_sum(rows, axis=1, keepdims=True)


def _negate(rows: Any) -> Any:
    return -rows


def _wait(rows: Any) -> Any:
    """The rows, after a while. A data set that sleeps does so once for its row and once more."""
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    types = {"output_types": [tf.float32], "output_shapes": [rows.shape]}
    dataset = tf.raw_ops.TensorDataset(components=[rows], output_shapes=[rows.shape])
    pause_us = tf.constant(int(SLOW_S / 2 * 1e6), tf.int64)
    dataset = tf.raw_ops.SleepDataset(input_dataset=dataset, sleep_microseconds=pause_us, **types)
    return tf.raw_ops.DatasetToSingleElement(dataset=dataset, **types)[0]


def _burning(seconds: float) -> Any:
    """As many products of matrices as take so long in one thread here and now."""
    times = 20
    for _ in range(3):
        times = max(1, round(times * seconds / _run_s(_graph(_multiply(times), (1,)))))
    return _graph(_multiply(times), (1,))


def _multiply(times: int) -> Callable[[Any], Any]:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    def make(rows: Any) -> Any:
        # Of all rows together: a run of several rows would not take longer than one of one row.
        start = tf.fill([_SIDE, _SIDE], tf.reduce_mean(rows) / _SIDE)
        (end,) = tf.while_loop(
            lambda matrix: tf.constant(True),
            lambda matrix: (tf.tanh(matrix @ matrix),),
            [start],
            maximum_iterations=times,
        )
        return rows + tf.reduce_mean(end)

    return make


def _run_s(graph: Any) -> float:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    one_thread = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1
    )
    with tf.compat.v1.Session(graph=graph, config=one_thread) as session:
        durations_s = []
        for _ in range(4):
            start_s = time.perf_counter()
            session.run("y:0", {"x:0": [[1.0]]})
            durations_s.append(time.perf_counter() - start_s)
    return min(durations_s)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
