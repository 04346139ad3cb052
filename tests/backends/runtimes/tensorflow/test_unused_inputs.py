"""Inputs that no output needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import (
    answers,
    function,
    load,
    names,
    save,
    v1,
)
from tests.backends.runtimes.tensorflow.rows_of_two import ROWS, SKIP, SPEC, Serve
from tfaas_core.tensors import BatchAxis


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [(tf.bool, []), (tf.float32, [None, 3]), (tf.string, None), (tf.qint8, [2]), (tf.variant, [])],
)
@pytest.mark.parametrize("named", [False, True])
def test_a_placeholder_that_no_output_needs_decides_nothing(
    serve: Serve, dtype: Any, shape: Any, named: bool
) -> None:
    def build() -> None:
        tf.negative(v1.placeholder(tf.float32, [None, 2], name="x"), name="y")
        v1.placeholder(dtype, shape, name="other")

    signature = serve(build, ["x", "other"] if named else []).signature
    assert names(signature.inputs) == ["x"]
    assert signature.unused == ("other",)
    assert signature.batch is BatchAxis.FREE


def test_what_freezing_a_loop_leaves_is_not_told(serve: Serve) -> None:
    def build() -> None:
        tf.negative(v1.placeholder(tf.float32, [None, 2], name="x"), name="y")
        for name in ("unused_control_flow_input", "unused_control_flow_input_12", "mine"):
            v1.placeholder(tf.int32, [], name=name)

    assert serve(build).signature.unused == ("mine",)


def test_what_another_output_needs_is_unused(serve: Serve) -> None:
    def build() -> None:
        tf.negative(v1.placeholder(tf.float32, [None, 2], name="x"), name="y")
        tf.negative(v1.placeholder(tf.float32, [None, 2], name="label"), name="loss")

    servable = serve(build, ["x", "label"], ["y"])
    assert servable.signature.unused == ("label",)
    np.testing.assert_array_equal(servable.run([ROWS])[0], -ROWS)
    assert serve(build).signature.unused == ()


def test_what_is_before_a_node_that_is_fed_is_unused(serve: Serve) -> None:
    def build() -> None:
        middle = tf.negative(v1.placeholder(tf.float32, [None, 2], name="x"), name="middle")
        tf.negative(middle, name="y")

    signature = serve(build, ["middle"]).signature
    assert (names(signature.inputs), signature.unused) == (["middle"], ("x",))


def test_where_no_output_needs_anything_what_is_named_is_asked_for(serve: Serve) -> None:
    def build() -> None:
        v1.placeholder(tf.float32, [None, 2], name="x")
        tf.constant([7.0], name="y")

    servable = serve(build, ["x"], ["y"])
    assert (names(servable.signature.inputs), servable.signature.unused) == (["x"], ())
    assert servable.run([ROWS])[0].tolist() == [7]


def ignoring(x: Any, training: Any) -> Any:
    return {"y": -x}


def ignoring_inside(x: Any, training: Any) -> Any:
    inner = tf.function(lambda x, training: (x * 2, training), autograph=False)
    return {"y": inner(x, training)[0]}


@SKIP
@pytest.mark.parametrize("params", [{}, {"inputNode": ["training", "x"]}, {"inputNode": "x"}])
def test_an_argument_that_a_function_ignores_is_unused(
    tmp_path: Path, params: dict[str, Any], skip: bool
) -> None:
    module = tf.Module()
    module.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)

    def body(x: Any, training: Any) -> Any:
        return {"y": module.table.lookup(tf.constant(0, tf.int64)) - x}

    spec = tf.TensorSpec([], tf.bool)
    signature = function(body, x=SPEC, training=spec)
    servable = load(save(tmp_path / "m", signature, module, experimental_skip_saver=skip), **params)
    assert names(servable.signature.inputs) == ["x"]
    assert servable.signature.unused == ("training",)
    assert servable.signature.batch is BatchAxis.FREE
    np.testing.assert_array_equal(answers(servable, ROWS)["y"], -ROWS)


@pytest.mark.parametrize("dtype", [tf.string, tf.float64, tf.bfloat16])
@pytest.mark.parametrize("shape", [[], [None, 3], [2], None])
def test_whatever_its_dtype_and_shape(tmp_path: Path, dtype: Any, shape: Any) -> None:
    signature = function(ignoring_inside, x=SPEC, training=tf.TensorSpec(shape, dtype))
    servable = load(save(tmp_path / "model", signature))
    assert servable.signature.unused == ("training",)
    np.testing.assert_array_equal(answers(servable, ROWS)["y"], 2 * ROWS)


def asserting(x: Any, training: Any) -> Any:
    with tf.control_dependencies([tf.debugging.Assert(training, ["no"])]):
        return {"y": tf.identity(x)}


def branching(x: Any, training: Any) -> Any:
    return {"y": tf.cond(training, lambda: x, lambda: -x)}


def needing_inside(x: Any, training: Any) -> Any:
    inner = tf.function(lambda a, b: (a, tf.cast(b, tf.float32)), autograph=False)
    return {"y": x + inner(x, training)[1]}


@pytest.mark.parametrize("body", [asserting, branching, needing_inside])
def test_an_argument_that_a_function_needs_is_asked_for(
    tmp_path: Path, body: Callable[[Any, Any], Any]
) -> None:
    signature = function(body, x=SPEC, training=tf.TensorSpec([], tf.bool))
    servable = load(save(tmp_path / "model", signature))
    assert names(servable.signature.inputs) == ["training", "x"]
    assert servable.signature.unused == ()
