"""Models of all kinds, questions to them, and what TensorFlow itself answers.

``python -m benchmarks.kinds FOLDER [NETWORKS]`` writes them, in a process of its own, so that the
one that asks never holds TensorFlow: a SavedModel's folder for each kind, and ``questions.json``.
In NETWORKS there may be frozen graphs ``NAME.pb``, each with ``NAME.npz``: arrays ``in:NODE``, a
few rows that it may be asked, and ``out:NODE`` for its output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tfaas_core.tensors import Array

QUESTIONS = "questions.json"
_PER_KIND = 60
_LARGE = 10_000
_WORDS = ("a", "muon", "of", "the", "jet", "b")

Function = Callable[..., dict[str, Any]]
Rows = Callable[[np.random.Generator], dict[str, Array]]


class Question(msgspec.Struct, frozen=True):
    """A document for the codec ``json``, less the model, and the outputs by name, flat."""

    document: dict[str, Any]
    outputs: dict[str, list[float]]


class Kind(msgspec.Struct, frozen=True):
    """A model: what it computes of which inputs, and how inputs for a question are drawn.

    ``one_row``: a question may also be one row, which is asked and answered without its axis.
    """

    name: str
    function: Function
    specs: list[Any]
    draw: Rows
    one_row: bool = True


def spec(shape: list[int | None], name: str, dtype: Any = tf.float32) -> Any:
    """An input."""
    return tf.TensorSpec(shape, dtype, name)


def numbers(random: np.random.Generator, *shape: int) -> Array:
    """float32 of both signs, from a thousandth to ten thousand."""
    signs = random.choice([-1.0, 1.0], shape)
    return (signs * 10 ** random.uniform(-3, 4, shape)).round(4).astype(np.float32)


def rows_of(width: int, most: int = 6, least: int = 1) -> Rows:
    """Up to ``most`` rows for an input ``x``."""
    return lambda random: {"x": numbers(random, int(random.integers(least, most + 1)), width)}


def neighbours(x: Any) -> dict[str, Any]:
    """Rows are the hits of one event."""
    squares = tf.reduce_sum((x[:, None, :] - x[None, :, :]) ** 2, -1)
    return {"count": tf.reduce_sum(tf.cast(squares < 1.0, tf.float32), 1, keepdims=True)}


def padded(x: Any) -> dict[str, Any]:
    """Texts are as long as the longest."""
    return {"ids": tf.strings.to_hash_bucket_fast(tf.strings.split(x).to_tensor(), 100)}


def graph_step(nodes: Any, edges: Any) -> dict[str, Any]:
    """The first axes are the nodes and the edges of one graph."""
    sent = tf.gather(nodes, edges[:, 0])
    return {"out": nodes + tf.math.unsorted_segment_sum(sent, edges[:, 1], tf.shape(nodes)[0])}


def a_graph(random: np.random.Generator) -> dict[str, Array]:
    nodes, edges = int(random.integers(1, 6)), int(random.integers(1, 9))
    links = random.integers(0, nodes, (edges, 2)).astype(np.int32)
    return {"nodes": numbers(random, nodes, 2), "edges": links}


def ranking(random: np.random.Generator) -> dict[str, Array]:
    return {"query": numbers(random, 1, 3), "items": numbers(random, int(random.integers(2, 7)), 3)}


def texts(random: np.random.Generator) -> dict[str, Array]:
    count = int(random.integers(1, 4))
    made = [" ".join(random.choice(_WORDS, random.integers(1, 6))) for _ in range(count)]
    return {"x": np.array(made, object)}


def pairs(random: np.random.Generator) -> dict[str, Array]:
    rows = int(random.integers(1, 5))
    return {"a": numbers(random, rows, 2), "b": numbers(random, rows, 1)}


def sequences(random: np.random.Generator) -> dict[str, Array]:
    shape = (int(random.integers(1, 4)), int(random.integers(1, 8)), 2)
    return {"x": random.uniform(-1, 1, shape).round(4).astype(np.float32)}


def pictures(random: np.random.Generator) -> dict[str, Array]:
    shape = (int(random.integers(1, 3)), 8, 8, 1)
    return {"x": random.uniform(0, 1, shape).round(3).astype(np.float32)}


def lstm() -> Function:
    """A network whose second axis is time, of any length; its weights are constants."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    layers = [tf.keras.layers.LSTM(4), tf.keras.layers.Dense(2)]
    model = tf.keras.Sequential([tf.keras.Input((None, 2)), *layers])
    concrete = tf.function(model).get_concrete_function(spec([None, None, 2], "x"))
    frozen = convert_variables_to_constants_v2(concrete)
    return lambda x: {"y": frozen(x)[0]}


def convolution() -> Function:
    """A small network for pictures."""
    kernels = tf.random.stateless_normal([3, 3, 1, 4], [1, 2])

    def network(x: Any) -> dict[str, Any]:
        seen = tf.nn.relu(tf.nn.conv2d(x, kernels, 1, "SAME"))
        return {"y": tf.nn.softmax(tf.reduce_mean(tf.nn.max_pool2d(seen, 2, 2, "VALID"), [1, 2]))}

    return network


def kinds() -> list[Kind]:
    """All kinds: rows that are independent, and rows that are not."""
    return [*_of_three_numbers(), *_of_other_inputs()]


def _of_three_numbers() -> list[Kind]:
    three = [spec([None, 3], "x")]
    scaled = lambda x: {"y": tf.where(tf.reduce_max(x) > 1, x / tf.reduce_max(x), x)}  # noqa: E731
    return [
        Kind("dense", lambda x: {"y": tf.sigmoid(x @ _weights())}, three, rows_of(3)),
        Kind("scaled-down", scaled, three, rows_of(3)),
        Kind("centred", lambda x: {"y": 1e-4 * (x - tf.reduce_mean(x, 0))}, three, rows_of(3)),
        Kind("hits-of-an-event", neighbours, three, rows_of(3)),
        Kind("many-hits", lambda x: {"y": x - x[:1]}, three, rows_of(3, 1300, 1025), one_row=False),
        Kind("kept", lambda x: {"y": tf.boolean_mask(x, x[:, 0] >= 0)}, three, rows_of(3)),
        Kind("sorted", lambda x: {"y": tf.sort(x, 1)}, three, rows_of(3, 4, 0)),
        Kind("versioned", lambda x: {"y": x * 2, "v": tf.constant([7.0])}, three, rows_of(3)),
        Kind(
            "one-at-a-time",
            lambda x: {"y": tf.boolean_mask(x[0], x[0] > 0)[None]},
            [spec([1, 3], "x")],
            rows_of(3, 1),
        ),
    ]


def _weights() -> Any:
    return tf.random.stateless_normal([3, 4], [3, 4])


def _of_other_inputs() -> list[Kind]:
    return [
        Kind("texts", padded, [spec([None], "x", tf.string)], texts, one_row=False),
        Kind(
            "lengths", lambda x: {"n": tf.strings.length(x)}, [spec([None], "x", tf.string)], texts
        ),
        Kind(
            "nodes-and-edges",
            graph_step,
            [spec([None, 2], "nodes"), spec([None, 2], "edges", tf.int32)],
            a_graph,
            one_row=False,
        ),
        Kind(
            "ranking",
            lambda query, items: {"score": tf.reduce_sum(query * items, 1)},
            [spec([None, 3], "query"), spec([None, 3], "items")],
            ranking,
            one_row=False,
        ),
        Kind(
            "joined",
            lambda a, b: {"y": tf.nn.tanh(tf.concat([a, b], 1) @ _weights())},
            [spec([None, 2], "a"), spec([None, 1], "b")],
            pairs,
        ),
        Kind("sequences", lstm(), [spec([None, None, 2], "x")], sequences),
        Kind("pictures", convolution(), [spec([None, 8, 8, 1], "x")], pictures),
    ]


def write(kind: Kind, folder: Path, random: np.random.Generator) -> list[Question]:
    """Saves the model, and asks TensorFlow."""
    module = tf.Module()
    module.serve = tf.function(kind.function, input_signature=kind.specs, autograph=False)
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve})
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return [_question(kind, served, random, number) for number in range(_PER_KIND)]


def _question(kind: Kind, served: Any, random: np.random.Generator, number: int) -> Question:
    inputs = kind.draw(random)
    is_row = kind.one_row and number % 2 == 1
    if is_row:
        inputs = {name: values[:1] for name, values in inputs.items()}
        if any(len(values) == 0 for values in inputs.values()):
            return _question(kind, served, random, 0)
    answers = served(**{name: tf.constant(values) for name, values in inputs.items()})
    outputs = {name: answers[name].numpy().ravel().tolist() for name in sorted(answers)}
    sent = {n: values.tolist()[0] if is_row else values.tolist() for n, values in inputs.items()}
    document = {"inputs": sent} if len(sent) > 1 else {"values": next(iter(sent.values()))}
    return Question(document, outputs)


def ask_network(file: Path, random: np.random.Generator) -> list[Question]:
    """Questions to a frozen graph: its sample rows, at many scales."""
    with np.load(file.with_suffix(".npz")) as arrays:
        inputs = {key[3:]: arrays[key] for key in arrays if key.startswith("in:")}
        (output,) = (key[4:] for key in arrays if key.startswith("out:"))
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(file.read_bytes()), name="")
    phases = [op.name for op in graph.get_operations() if op.name.endswith("keras_learning_phase")]
    size = sum(values.size for values in inputs.values())
    with tf.compat.v1.Session(graph=graph) as session:

        def answer() -> Question:
            drawn = {name: _scaled(values, random) for name, values in inputs.items()}
            fed = {f"{name}:0": values for name, values in drawn.items()}
            fed |= {f"{name}:0": np.array(False) for name in phases}
            answered = session.run(f"{output}:0", fed)
            sent = {name: values.tolist() for name, values in drawn.items()}
            document = {"inputs": sent} if len(sent) > 1 else {"values": next(iter(sent.values()))}
            return Question(document, {output: answered.ravel().tolist()})

        return [answer() for _ in range(_PER_KIND if size < _LARGE else _PER_KIND // 10)]


def _scaled(rows: Array, random: np.random.Generator) -> Array:
    if np.array_equal(rows, np.rint(rows)):  # categories
        return rows
    scales = 10 ** random.uniform(-2, 2, (len(rows), *[1] * (rows.ndim - 1)))
    return (rows * scales).astype(np.float32)


def main(folder: Path, networks: Path | None = None) -> None:
    random = np.random.default_rng(1)
    questions = {kind.name: write(kind, folder / kind.name, random) for kind in kinds()}
    for file in sorted(networks.glob("*.pb")) if networks else []:
        questions[file.stem] = ask_network(file, random)
    (folder / QUESTIONS).write_bytes(msgspec.json.encode(questions))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
