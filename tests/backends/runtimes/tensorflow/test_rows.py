"""What graphs tell of their rows: the batch axis, what is constant, and what is proven."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.conftest import Serve
from tfaas_core.engine.in_model_process.warming.warmup import BY_SHAPE, PROVEN, warm
from tfaas_core.tensors import BatchAxis

FREE, NONE = BatchAxis.FREE, BatchAxis.NONE


def placeholder(shape: Any, name: str = "x", dtype: Any = None) -> Any:
    return tf.compat.v1.placeholder(dtype or tf.float32, shape, name)


def test_rows_that_are_proven_may_share_a_run(serve: Serve) -> None:
    warmed = warm(serve(lambda: tf.nn.softmax(placeholder([None, 3]), name="y")))
    assert (warmed.signature.batch, warmed.mergeable, warmed.merge_reason) == (FREE, True, PROVEN)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda x: x / tf.reduce_max(x, name="largest"), r"node 'largest' \(Max\)"),
        (lambda x: x - tf.reduce_mean(x, 0, name="mean"), r"node 'mean' \(Mean\)"),
        (lambda x: tf.boolean_mask(x, x[:, 0] > 0), r"node 'boolean_mask/Where' \(Where\)"),
        (lambda x: x * 1e-4 - 1e-4 * tf.cumsum(x, 0, name="sums"), r"node 'sums' \(Cumsum\)"),
    ],
)
def test_rows_that_are_mixed_may_not_and_the_node_is_named(
    serve: Serve, build: Callable[[Any], Any], reason: str
) -> None:
    servable = serve(lambda: tf.identity(build(placeholder([None, 3])), name="y"))
    warmed = warm(servable)
    assert warmed.signature.batch is FREE
    assert not warmed.mergeable
    assert re.search(reason, warmed.merge_reason)


def test_inputs_whose_rows_are_mixed_have_no_batch_axis(serve: Serve) -> None:
    def build() -> None:
        nodes, edges = placeholder([None, 2], "nodes"), placeholder([None, 2], "edges", tf.int32)
        tf.gather(nodes, edges[:, 0], name="y")

    assert serve(build).signature.batch is NONE
    assert serve(build, axis=FREE).signature.batch is FREE


def test_inputs_whose_rows_belong_together_have_one(serve: Serve) -> None:
    def build() -> None:
        tf.concat([placeholder([None, 2], "a"), placeholder([None, 1], "b")], 1, name="y")

    assert serve(build).signature.batch is FREE


def test_a_constant_output_leaves_the_batch_axis_to_the_others(serve: Serve) -> None:
    def build() -> None:
        tf.negative(placeholder([None, 3]), name="y")
        tf.constant([1.0, 2.0], name="version")

    servable = serve(build, ["x"], ["y", "version"])
    assert servable.signature.batch is FREE
    assert [spec.constant for spec in servable.signature.outputs] == [False, True]
    assert warm(servable).mergeable


def test_inputs_of_unknown_rank_are_proven_once_a_request_shows_their_shapes(serve: Serve) -> None:
    def build() -> None:
        sums = tf.reduce_sum(placeholder(None), -2, name="sums")
        sums.set_shape([None, 2])
        tf.identity(sums, name="y")

    servable = serve(build)
    warmed = warm(servable)
    assert (warmed.signature.batch, warmed.mergeable, warmed.merge_reason) == (NONE, True, BY_SHAPE)
    assert servable.independence([(None, 3, 2)]).proven
    refused = servable.independence([(None, 2)])
    assert not refused.proven
    assert "'sums' (Sum)" in refused.reason


def test_an_output_without_rows_is_no_proof_for_a_shape(serve: Serve) -> None:
    def build() -> None:
        tf.reduce_sum(placeholder(None), [1], name="y")
        tf.constant([1.0, 2.0], name="version")

    servable = serve(build, ["x"], ["y", "version"])
    assert not servable.independence([(None, 3)]).proven
