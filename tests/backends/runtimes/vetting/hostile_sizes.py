"""Graphs whose sizes come by way of functions, branches and loops, or of products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf import text_format  # type: ignore[import-untyped]
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.vetting.graphs import Hostile, v1
from tests.backends.runtimes.vetting.hostile_bounds import made

MANY = 1 << 15
DOUBLINGS = 30


def built(build: Callable[[], Any]) -> Callable[[Any], None]:
    """Adds what ``build`` makes by TensorFlow; functions are called f0, f1 ... in order."""

    def change(graph_def: Any) -> None:
        with tf.Graph().as_default() as graph:
            build()
        added = graph.as_graph_def()
        text = str(added)
        for number, name in enumerate(sorted(f.signature.name for f in added.library.function)):
            text = text.replace(f'"{name}"', f'"f{number}"')
        added = text_format.Parse(text, v1.GraphDef())
        graph_def.node.extend(added.node)
        graph_def.library.function.extend(added.library.function)

    return change


def fill(count: Any) -> Any:
    return tf.raw_ops.Fill(dims=tf.reshape(count, [1]), value=1.0, name="bad")


def argument() -> None:
    tf.function(fill)(tf.constant(MANY) * MANY)


def argument_of_an_argument() -> None:
    inner = tf.function(lambda one, other: fill(one * other))
    tf.function(lambda count: inner(count, MANY) + 1)(tf.constant(MANY))


def result() -> None:
    fill(tf.function(lambda: (tf.constant(1), tf.constant(MANY) * MANY))()[1])


def doubled() -> Any:
    count = tf.constant(1), tf.constant(0)
    return tf.while_loop(lambda _, turn: turn < DOUBLINGS, lambda n, turn: (2 * n, turn + 1), count)


def result_of_a_loop() -> None:
    fill(doubled()[0])


def within_a_loop() -> None:
    def turn(count: Any) -> Any:
        fill(count)
        return 4 * count

    tf.while_loop(lambda count: count <= 1 << DOUBLINGS, turn, [tf.constant(1)])


def branch() -> None:
    count = tf.constant(MANY) * MANY
    tf.cond(v1.placeholder(tf.bool, []), lambda: tf.constant([1.0]), lambda: fill(count) + 1)


def result_of_a_branch() -> None:
    least = tf.constant(MANY)
    fill(tf.cond(least > 3, lambda: least * least, lambda: least))


def product() -> None:
    column = tf.fill([MANY, 1], 1.0)
    tf.raw_ops.MatMul(a=column, b=tf.tile(column, [1, 1]), transpose_b=True, name="bad")


def broadcast() -> None:
    numbers = tf.constant([0.5] * MANY)
    tf.raw_ops.Mul(x=numbers, y=numbers[:, None], name="never")
    column = tf.expand_dims(tf.identity(numbers), 1)
    tf.raw_ops.AddV2(x=column, y=numbers, name="bad")


SIZES = {
    "a size as an argument": Hostile(built(argument), ["f0", "bad"], "Fill"),
    "a size as an argument's argument": Hostile(
        built(argument_of_an_argument), ["f0", "bad"], "Fill"
    ),
    "a size that a function gives": Hostile(built(result), ["bad"], "Fill"),
    "a size that a loop gives": Hostile(built(result_of_a_loop), ["bad"], "Fill"),
    "a size that grows in a loop": Hostile(built(within_a_loop), ["f0", "bad"], "Fill"),
    "a size in a branch": Hostile(built(branch), ["f0", "bad"], "Fill"),
    "a size that a branch gives": Hostile(built(result_of_a_branch), ["bad"], "Fill"),
    "a huge padding": Hostile(made("Pad", [[1.0]], [[0, MANY], [MANY, 0]]), ["bad"], "Pad"),
    "a huge picture": Hostile(
        made("ResizeBilinear", [[[[1.0]]]], [MANY, MANY]), ["bad"], "ResizeBilinear"
    ),
    "a product of vectors": Hostile(built(product), ["bad"], "MatMul", "elements in each run"),
    "a sum of a column and a row": Hostile(built(broadcast), ["bad"], "AddV2"),
}
