"""Which graphs are stateful."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tfaas_core.runtime import Servable

Serve = Callable[..., Servable]


def rows() -> Any:
    return tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")


def noise(x: Any) -> Any:
    return x + tf.random.uniform(tf.shape(x))


def dropout(phase: Any) -> None:
    """What Keras made of a dropout layer in TensorFlow 1."""
    off, on = tf.raw_ops.Switch(data=rows(), pred=tf.identity(phase))
    with tf.control_dependencies([tf.identity(on)]):
        mask = tf.random.uniform([2])
    tf.identity(tf.raw_ops.Merge(inputs=[off, noise(on) * mask]).output, name="y")


def mandatory_phase() -> Any:
    return tf.compat.v1.placeholder(tf.bool, [], name="keras_learning_phase")


def default_phase() -> Any:
    return tf.compat.v1.placeholder_with_default(tf.constant(False), [], name="training")


def test_a_plain_graph_is_not_stateful(serve: Serve) -> None:
    assert not serve(lambda: tf.negative(rows())).stateful


def test_random_numbers_are_state(serve: Serve) -> None:
    assert serve(lambda: noise(rows())).stateful


def test_a_variable_is_state(serve: Serve) -> None:
    def build() -> None:
        counter = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[])
        assign = tf.raw_ops.AssignVariableOp(resource=counter, value=1.0)
        with tf.control_dependencies([assign]):
            one = tf.raw_ops.ReadVariableOp(resource=counter, dtype=tf.float32)
        tf.add(rows(), one, name="y")

    assert serve(build).stateful


def test_a_constant_that_runs_write_into_is_state(serve: Serve) -> None:
    def build() -> None:
        sums = tf.constant([[0.0, 0.0]])
        tf.identity(tf.raw_ops.InplaceAdd(x=sums, i=[0], v=rows()), name="y")

    servable = serve(build)
    assert servable.stateful
    ones = np.ones((1, 2), np.float32)
    assert [float(servable.run([ones])[0][0, 0]) for _ in range(2)] == [1, 2]
    servable.reset()
    assert float(servable.run([ones])[0][0, 0]) == 1


def test_what_the_outputs_do_not_need_is_not_counted(serve: Serve) -> None:
    def build() -> None:
        tf.negative(rows(), name="y")
        tf.identity(noise(tf.zeros(2)), name="z")

    assert not serve(build, [], ["y"]).stateful
    assert serve(build, [], ["y", "z"]).stateful


@pytest.mark.parametrize("phase", [mandatory_phase, default_phase])
def test_dropout_that_only_training_does_is_not_counted(
    serve: Serve, phase: Callable[[], Any]
) -> None:
    assert not serve(lambda: dropout(phase())).stateful


def test_dropout_that_a_request_can_turn_on_is_counted(serve: Serve) -> None:
    assert serve(lambda: dropout(default_phase()), ["x", "training"]).stateful


def test_checks_and_the_arrays_of_a_loop_are_not_counted(serve: Serve) -> None:
    def build() -> None:
        x = rows()
        with tf.control_dependencies([tf.raw_ops.Assert(condition=True, data=[x])]):
            array = tf.raw_ops.TensorArrayV3(size=1, dtype=tf.float32)
        flow = tf.raw_ops.TensorArrayWriteV3(handle=array[0], index=0, value=x, flow_in=array[1])
        tf.raw_ops.TensorArrayReadV3(
            handle=array[0], index=0, flow_in=flow, dtype=tf.float32, name="y"
        )

    assert not serve(build).stateful


@pytest.mark.parametrize(("body", "stateful"), [(tf.negative, False), (noise, True)])
def test_a_function_counts_by_what_it_does(
    serve: Serve, body: Callable[[Any], Any], stateful: bool
) -> None:
    inner = tf.function(body, autograph=False)
    outer = tf.function(lambda x: inner(x) + 1, autograph=False)
    servable = serve(lambda: tf.identity(outer(rows()), name="y"))
    assert servable.stateful is stateful
