"""Which tensors of a frozen graph become its inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tfaas_core.errors import CannotServe
from tfaas_core.runtime import Servable

Serve = Callable[..., Servable]

ROWS = np.array([[1, 2], [3, 4]], np.float32)


def rows(name: str = "x", dtype: Any = tf.float32) -> Any:
    return tf.compat.v1.placeholder(dtype, [None, 2], name=name)


def learning_phase() -> Any:
    return tf.compat.v1.placeholder(tf.bool, [], name="layer/keras_learning_phase")


def takes(servable: Servable) -> list[str]:
    return [spec.name for spec in servable.signature.inputs]


def gives(servable: Servable) -> list[str]:
    return [spec.name for spec in servable.signature.outputs]


def sum_of_two() -> None:
    tf.add(rows("a"), rows("b"), name="sum")


def test_placeholders_are_inputs_and_the_last_nodes_outputs(serve: Serve) -> None:
    def build() -> None:
        hidden = tf.add(rows("a"), rows("b"), name="hidden")
        tf.negative(hidden, name="minus")
        tf.square(hidden, name="square")

    servable = serve(build)
    assert takes(servable) == ["a", "b"]
    assert gives(servable) == ["minus", "square"]
    minus, square = servable.run([ROWS, ROWS])
    np.testing.assert_array_equal(minus, -2 * ROWS)
    np.testing.assert_array_equal(square, 4 * ROWS**2)


def test_named_nodes_are_taken_in_the_order_named(serve: Serve) -> None:
    servable = serve(lambda: tf.subtract(rows("a"), rows("b"), name="d"), ["b", "a"], ["d"])
    assert takes(servable) == ["b", "a"]
    np.testing.assert_array_equal(servable.run([ROWS, 3 * ROWS])[0], 2 * ROWS)


@pytest.mark.parametrize("name", ["x", "x:0", " x ", "\tx:0\n"])
def test_a_name_may_have_an_index_and_spaces_around(serve: Serve, name: str) -> None:
    servable = serve(lambda: tf.negative(rows(), name="y"), [name], [name.replace("x", "y")])
    assert (takes(servable), gives(servable)) == (["x"], ["y"])


def test_a_node_in_the_middle_can_be_fed_and_read(serve: Serve) -> None:
    def build() -> None:
        middle = tf.add(rows(), 1, name="middle")
        end = tf.multiply(middle, 2, name="end")
        tf.reduce_max(end, name="beyond")

    servable = serve(build, ["middle"], ["end"])
    np.testing.assert_array_equal(servable.run([ROWS])[0], 2 * ROWS)


def test_an_input_can_be_an_output(serve: Serve) -> None:
    servable = serve(lambda: tf.negative(rows(), name="y"), ["x"], ["x", "y"])
    assert gives(servable) == ["x", "y"]
    same, minus = servable.run([ROWS])
    np.testing.assert_array_equal(same, ROWS)
    np.testing.assert_array_equal(minus, -ROWS)


def test_all_outputs_of_a_last_node_are_given(serve: Serve) -> None:
    servable = serve(lambda: tf.math.top_k(rows(), 1, name="top"))
    assert gives(servable) == ["top", "top:1"]
    values, indices = servable.run([ROWS])
    np.testing.assert_array_equal(values, [[2], [4]])
    np.testing.assert_array_equal(indices, [[1], [1]])
    assert indices.dtype == np.int32


def test_a_further_output_of_a_node_can_be_named(serve: Serve) -> None:
    servable = serve(lambda: tf.math.top_k(rows(), 1, name="top"), [], ["top:1"])
    assert gives(servable) == ["top:1"]
    np.testing.assert_array_equal(servable.run([ROWS])[0], [[1], [1]])


def test_a_placeholder_that_no_output_needs_is_not_asked_for(serve: Serve) -> None:
    def build() -> None:
        rows("label")
        tf.negative(rows(), name="y")
        tf.square(rows("other"), name="z")

    assert takes(serve(build, [], ["y"])) == ["x"]
    both = serve(build)
    assert (takes(both), gives(both)) == (["x", "other"], ["y", "z"])


def test_a_placeholder_with_a_default_is_not_asked_for(serve: Serve) -> None:
    def build() -> None:
        default = tf.compat.v1.placeholder_with_default(tf.constant(10.0), [], name="factor")
        tf.multiply(rows(), default, name="y")

    servable = serve(build)
    assert takes(servable) == ["x"]
    np.testing.assert_array_equal(servable.run([ROWS])[0], 10 * ROWS)


def test_a_placeholder_with_a_default_is_asked_for_where_there_is_no_other(serve: Serve) -> None:
    def build() -> None:
        default = tf.compat.v1.placeholder_with_default(tf.zeros([1, 2]), [None, 2], name="x")
        tf.negative(default, name="y")

    servable = serve(build)
    assert takes(servable) == ["x"]
    np.testing.assert_array_equal(servable.run([ROWS])[0], -ROWS)


@pytest.mark.parametrize("inputs", [[], ["x"]])
def test_the_learning_phase_is_off_and_not_asked_for(serve: Serve, inputs: list[str]) -> None:
    servable = serve(lambda: tf.where(learning_phase(), 0.0, rows()), inputs)
    assert takes(servable) == ["x"]
    np.testing.assert_array_equal(servable.run([ROWS])[0], ROWS)


def test_a_learning_phase_that_something_waits_for_is_off_too(serve: Serve) -> None:
    def build() -> None:
        with tf.control_dependencies([learning_phase()]):
            tf.negative(rows(), name="y")

    np.testing.assert_array_equal(serve(build).run([ROWS])[0], -ROWS)


def test_a_learning_phase_that_the_params_name_is_asked_for(serve: Serve) -> None:
    phase = "layer/keras_learning_phase"
    servable = serve(lambda: tf.where(learning_phase(), 0.0, rows()), ["x", phase])
    assert takes(servable) == ["x", phase]
    np.testing.assert_array_equal(servable.run([ROWS, np.array(True)])[0], 0 * ROWS)


def test_constants_and_their_descendants_are_no_outputs(serve: Serve) -> None:
    def build() -> None:
        tf.constant([1.0], name="beta_1")
        tf.add(tf.constant(1.0), 1.0, name="iterations")
        tf.negative(rows(), name="y")

    assert gives(serve(build)) == ["y"]


def test_what_runs_only_for_its_effect_is_no_output(serve: Serve) -> None:
    def build() -> None:
        score = tf.negative(rows(), name="score")
        tf.raw_ops.HistogramSummary(tag="scores", values=score, name="summary")
        with tf.control_dependencies([score]):
            tf.no_op(name="done")

    assert gives(serve(build)) == ["score"]


def test_what_only_checks_and_summaries_use_is_no_output_beside_a_real_one(serve: Serve) -> None:
    def build() -> None:
        x = rows()
        tf.raw_ops.Assert(condition=tf.reduce_all(x > 0, name="all"), data=[x], name="check")
        tf.raw_ops.ScalarSummary(tags="mean", values=tf.reduce_mean(x, name="mean"))
        tf.negative(x, name="y")

    assert gives(serve(build)) == ["y"]


def test_the_two_ways_of_a_conditional_end_in_one_output(serve: Serve) -> None:
    def build() -> None:
        x = rows()
        positive = tf.reduce_all(x > 0, name="positive")
        no, yes = tf.raw_ops.Switch(data=x, pred=positive, name="switch")
        tf.identity(tf.raw_ops.Switch(data=positive, pred=positive)[1], name="switch_t")
        tf.raw_ops.Merge(inputs=[tf.negative(no), tf.identity(yes)], name="merge")

    servable = serve(build)
    assert gives(servable) == ["merge"]
    np.testing.assert_array_equal(servable.run([-ROWS])[0], ROWS)


def test_what_a_loop_counts_is_no_output_beside_a_real_one(serve: Serve) -> None:
    def build() -> None:
        doubled = tf.while_loop(lambda n, h: n < 3, lambda n, h: (n + 1, h * 2), (0, rows()))[1]
        tf.negative(doubled, name="y")

    servable = serve(build)
    assert gives(servable) == ["y"]
    np.testing.assert_array_equal(servable.run([ROWS])[0], -8 * ROWS)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (["nope"], [], r"params.inputNode names 'nope', .* no such node; its placeholders are 'a'"),
        ([], ["nope:0"], r"params.outputNode names 'nope', .* its placeholders are 'a', 'b'"),
        ([], ["  "], r"params.outputNode names '', but the graph has no such node"),
        ([], ["sum:1"], r"params.outputNode names 'sum:1', but node 'sum' has 1 outputs"),
        ([], ["sum:x"], r"params.outputNode names 'sum:x'"),
        (["a", "b", "a:0"], [], r"params.inputNode names 'a:0' twice"),
        (["a"], [], r"depend on placeholder 'b', which params.inputNode does not name"),
    ],
)
def test_a_wrong_name_is_refused(
    serve: Serve, inputs: list[str], outputs: list[str], message: str
) -> None:
    with pytest.raises(CannotServe, match=message):
        serve(sum_of_two, inputs, outputs)


def test_a_long_list_of_placeholders_is_cut_short(serve: Serve) -> None:
    with pytest.raises(CannotServe, match=r"'p7' and 92 more$"):
        serve(lambda: tf.add_n([rows(f"p{i}") for i in range(100)]), ["nope"])


def test_a_graph_that_nothing_feeds_is_refused(serve: Serve) -> None:
    with pytest.raises(CannotServe, match=r"outputs in params\.outputNode"):
        serve(lambda: tf.constant(1.0, name="y"))
    with pytest.raises(CannotServe, match=r"feed in params\.inputNode"):
        serve(lambda: tf.constant(1.0, name="y"), [], ["y"])


def test_outputs_that_nobody_could_read_are_no_outputs(serve: Serve) -> None:
    def build() -> None:
        tf.raw_ops.QuantizeV2(input=rows(), min_range=0.0, max_range=1.0, T=tf.qint8, name="q")

    servable = serve(build)
    assert gives(servable) == ["q:1", "q:2"]
    with pytest.raises(CannotServe, match=r"node 'q' holds qint8, .* params\.outputNode"):
        serve(build, [], ["q"])
