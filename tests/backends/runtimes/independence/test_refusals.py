"""Models whose rows depend on each other are refused, and the node that makes them so is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tfaas_backends.runtimes.independence.prover import Finding, Prover
from tfaas_backends.runtimes.tensorflow.quiet import tf

Build = Callable[..., Any]
raw = tf.raw_ops


def finding(build: Build, *specs: Any) -> Finding:
    """Of the only output of a function."""
    function = tf.function(build, autograph=False).get_concrete_function(*specs)
    inputs = [tensor.name for tensor in function.inputs if tensor.dtype != tf.resource]
    prover = Prover(function.graph.as_graph_def(), inputs, [function.outputs[0].name])
    proof = prover.prove([tuple(spec.shape.as_list()) for spec in specs])
    assert not proof.mergeable
    assert proof.why
    return proof.outputs[0]


def floats(*inner: int | None) -> Any:
    return tf.TensorSpec([None, *inner])


def longest(texts: Any) -> Any:
    return tf.strings.to_hash_bucket_fast(tf.strings.split(texts).to_tensor(), 100)


def neighbours(hits: Any) -> Any:
    squares = tf.reduce_sum((hits[:, None, :] - hits[None, :, :]) ** 2, -1)
    return tf.reduce_sum(tf.cast(squares < 0.01, tf.float32), 1, keepdims=True)


def trained(x: Any) -> Any:
    mean, variance = tf.nn.moments(x, [0])
    return tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)


def trained_fused(x: Any) -> Any:
    ones, zeros, none = tf.ones([3]), tf.zeros([3]), tf.zeros([0])
    return tf.compat.v1.nn.fused_batch_norm(x, ones, zeros, none, none, is_training=True)[0]


def row_by_row(x: Any) -> Any:
    """With a state that goes from row to row."""
    return tf.scan(lambda state, row: state + row, x)


def counting(x: Any) -> Any:
    size = tf.shape(x)[0]
    return tf.while_loop(lambda i, y: i < size, lambda i, y: (i + 1, y * 2), (0, x))[1]


def until_small(x: Any) -> Any:
    return tf.while_loop(lambda y: tf.reduce_max(y) > 1, lambda y: (y / 2,), (x,))[0]


def messages(x: Any) -> Any:
    """Of a graph network: each node hears of those that point at it."""
    targets = tf.cast(x[:, 0], tf.int32)
    return tf.math.unsorted_segment_sum(x, targets, tf.shape(x)[0])


BY_COUNT = "lets the number of rows choose what is computed"
LARGEST = "takes the largest over the rows"
MEAN = "averages over the rows"
SUM = "adds up the rows"
NO_RULE = "has no rule"
AGAINST = "sets all rows against all rows"
CUTS = "cuts the rows into parts that are no rows"
SOME = "takes some of the rows, by their places"
SORTS = "sorts the rows"
WITH_COUNT = "computes with the number of rows"
TURNS = "turns the order of the rows round"
CASES: dict[str, Sequence[Any]] = {
    "largest of all": (lambda x: x - tf.reduce_max(x), "Max", LARGEST),
    "distance from the mean": (lambda x: x - tf.reduce_mean(x, 0), "Mean", MEAN),
    "sum": (lambda x: tf.reduce_sum(x, 0), "Sum", SUM),
    "softmax over rows": (
        lambda x: tf.nn.softmax(x, 0),
        "Softmax",
        "sets each row against the sum over all rows",
    ),
    "sorted": (lambda x: tf.sort(x, 0), "TopKV2", SORTS),
    "largest few": (lambda x: tf.transpose(tf.nn.top_k(tf.transpose(x), 2)[0]), "TopKV2", SORTS),
    "unique": (lambda x: tf.unique(x)[0], "Unique", NO_RULE, floats()),
    "segments": (messages, "UnsortedSegmentSum", NO_RULE),
    "padded by the longest": (
        longest,
        "RaggedTensorToTensor",
        "makes the rows as long as the longest of them",
        tf.TensorSpec([None], tf.string),
    ),
    "neighbours": (neighbours, "Sub", AGAINST, floats(3)),
    "picked": (lambda x: tf.boolean_mask(x, x[:, 0] > 0), "Where", NO_RULE),
    "picked by rows": (
        lambda x: tf.gather(x, tf.cast(x[:, 0], tf.int32)),
        "GatherV2",
        "picks rows by their places",
    ),
    "rows by rows": (lambda x: tf.matmul(x, x, transpose_b=True), "MatMul", AGAINST),
    "rows transposed by rows": (lambda x: tf.matmul(x, x, transpose_a=True), "MatMul", SUM),
    "cut": (lambda x: tf.nn.softmax(tf.reshape(x, [-1, 3])), "Reshape", CUTS),
    "turned round": (lambda x: tf.reverse(x, [0]), "ReverseV2", TURNS),
    "sliced backwards": (lambda x: x[::-1], "StridedSlice", TURNS),
    "first row": (lambda x: x + x[:1], "StridedSlice", SOME),
    "last row": (lambda x: x - x[-1], "StridedSlice", SOME),
    "sliced": (lambda x: tf.slice(x, [1, 0], [-1, -1]), "Slice", SOME),
    "summed up": (lambda x: tf.cumsum(x), "Cumsum", "adds up the rows one after another"),
    "rolled": (lambda x: tf.roll(x, 1, 0), "Roll", "moves rows to the places of others"),
    "batch norm in training": (trained, "Mean", MEAN),
    "fused batch norm in training": (
        trained_fused,
        "FusedBatchNormV3",
        "normalises by the mean over all rows",
        floats(4, 4, 3),
    ),
    "by the number of rows": (
        lambda x: x / tf.cast(tf.shape(x)[0], tf.float32),
        "RealDiv",
        WITH_COUNT,
    ),
    "numbered": (
        lambda x: x + tf.range(tf.cast(tf.shape(x)[0], tf.float32)),
        "AddV2",
        WITH_COUNT,
        floats(),
    ),
    "random": (
        lambda x: x + tf.random.uniform(tf.shape(x)),
        "RandomUniform",
        "keeps state or draws random numbers",
    ),
    "row by row": (row_by_row, "StatelessWhile", BY_COUNT),
    "mapped": (lambda x: tf.map_fn(lambda row: row * 2, x), "StatelessWhile", BY_COUNT),
    "as often as there are rows": (counting, "StatelessWhile", BY_COUNT),
    "until all are small": (until_small, "Max", LARGEST),
    "einsum": (lambda x: tf.einsum("ab,ac->bc", x, x), "Einsum", SUM),
    "scattered": (
        lambda x: tf.scatter_nd(tf.cast(x[:, :1], tf.int32), x, [9, 2]),
        "ScatterNd",
        NO_RULE,
    ),
    "rows and a constant": (
        lambda x: tf.concat([x, tf.zeros([1, 2])], 0),
        "ConcatV2",
        "sets rows beside what are no rows",
    ),
    "rows behind rows": (lambda x: tf.concat([x, x], 0), "ConcatV2", "puts rows behind rows"),
    "stacked before": (
        lambda x: tf.stack([x, x]),
        "Identity",
        "has the rows along axis 1, not along axis 0",
    ),
    "if any": (
        lambda x: tf.cond(tf.reduce_any(x > 0), lambda: x, lambda: -x),
        "Any",
        "asks whether any of the rows is true",
    ),
    "if there are many": (
        lambda x: tf.cond(tf.shape(x)[0] > 4, lambda: x, lambda: -x),
        "StatelessIf",
        BY_COUNT,
    ),
    "if a row is": (
        lambda x: tf.cond(raw.Reshape(tensor=x, shape=[]) > 0, lambda: 1.0, lambda: 2.0) + x,
        "Reshape",
        CUTS,
        floats(),
    ),
    "squeezed": (
        lambda x: raw.Squeeze(input=x),
        "Squeeze",
        "drops the axis of rows if it has one row",
    ),
    "the number of rows": (lambda x: tf.shape(x)[0], "Identity", "depends on the number of rows"),
    "into the batch": (
        lambda x: tf.reshape(x, [-1]),
        "Identity",
        "does not have one entry for each row",
    ),
    "more rows": (lambda x: tf.pad(x, [[1, 0], [0, 0]]), "Pad", "puts more rows beside the rows"),
    "fixed": (lambda x: tf.reshape(x, [1, 4]), "Reshape", CUTS, floats(4)),
}
"""Of each: how it is built, the op and the reason that are told, and what it takes."""


@pytest.mark.parametrize("name", CASES)
def test_a_model_that_mixes_rows_is_refused(name: str) -> None:
    build, op, reason, *specs = CASES[name]
    found = finding(build, *(specs or [floats(2)]))
    assert (found.kind, found.op, found.reason) == ("mixed", op, reason)
    assert found.node


def test_a_model_that_writes_to_its_state_is_refused() -> None:
    variable = tf.Variable(0.0)

    def build(x: Any) -> Any:
        variable.assign_add(1.0)
        return x * 1

    found = finding(lambda x: tf.function(build)(x), floats(2))
    assert (found.op, found.reason) == (
        "AssignAddVariableOp",
        "keeps state or draws random numbers",
    )
    assert "/" in found.node
