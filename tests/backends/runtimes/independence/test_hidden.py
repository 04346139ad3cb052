"""Programs that hide what mixes their rows, and networks that only look as if they did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tfaas_backends.runtimes.independence.prover import Proof, Prover
from tfaas_backends.runtimes.tensorflow.quiet import tf

raw = tf.raw_ops
Build = Callable[[Any], Any]


def proof(build: Build, lowered: bool, width: int = 3) -> Proof:
    """Of a function of rows of three numbers each; lowered to TensorFlow 1's control flow."""
    function = tf.function(build, autograph=False).get_concrete_function(
        tf.TensorSpec([None, width])
    )
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=lowered)
    inputs, outputs = ([t.name for t in ends] for ends in (frozen.inputs, frozen.outputs))
    return Prover(frozen.graph.as_graph_def(), inputs, outputs).prove([(None, width)])


def number_of(x: Any) -> Any:
    return tf.shape(x)[0]


def unknown() -> Any:
    """A number that is the same for all rows, but not known before it runs."""
    return tf.strings.to_number(tf.constant("1"), tf.int32)


def largest(x: Any) -> Any:
    return tf.cast(tf.reduce_max(x), tf.int32)


def rolled_by_count(x: Any) -> Any:
    return x + tf.roll(tf.constant([1.0, 2.0, 3.0]), number_of(x), 0)


def rolled_by_rows(x: Any) -> Any:
    axes = tf.zeros([number_of(x)], tf.int32)
    return x + tf.roll(tf.constant([1.0, 2.0, 3.0]), tf.cast(x[:, 0], tf.int32), axes)


def filled_up_by_count(x: Any) -> Any:
    count = tf.cast(number_of(x), tf.float32)
    return x @ tf.linalg.diag(tf.constant([1.0, 2.0, 3.0]), padding_value=count)


def in_steps_of_count(x: Any) -> Any:
    return x + tf.reduce_sum(x[:, :: number_of(x)], 1, keepdims=True)


def at_the_place_of_count(x: Any) -> Any:
    return x + x[:, number_of(x), None]


def from_count_on(x: Any) -> Any:
    return x + tf.slice(x, [0, number_of(x)], [-1, 1])


def bounded_either_way(x: Any) -> Any:
    """Only one of the two bounds makes the choice of the rows' largest one a constant."""
    one, other = (lambda: tf.maximum(largest(x), 5)), (lambda: tf.maximum(largest(x), 1))
    found = tf.cond(unknown() > 1, one, other)
    return x * tf.cast(tf.minimum(found, 3), tf.float32)


def bounded_at_first(x: Any) -> Any:
    def body(i: Any, y: Any) -> Any:
        return i - 1, y * tf.cast(tf.minimum(tf.maximum(largest(x), i), 3), tf.float32)

    return tf.while_loop(lambda i, y: i > 0, body, (5, x))[1]


def constants_by_rows(x: Any) -> Any:
    ways = [lambda: tf.constant(1.0), lambda: tf.constant(2.0), lambda: tf.constant(3.0)]
    return x * tf.switch_case(largest(x), ways)


def constants_by_count(x: Any) -> Any:
    ways = [lambda: tf.constant(1.0), lambda: tf.constant(2.0), lambda: tf.constant(3.0)]
    return x * tf.switch_case(number_of(x), ways)


def read_before_written(x: Any) -> Any:
    """A list gives zeros where nothing is set: so what comes of them is computed."""
    items = raw.TensorListReserve(element_shape=-1, num_elements=3, element_dtype=tf.float32)

    def turned() -> Any:
        zeros = raw.TensorListGetItem(
            input_handle=items, index=0, element_shape=tf.shape(x), element_dtype=tf.float32
        )
        return zeros + x[::-1]

    return tf.cond(unknown() > 1, turned, lambda: x)


def random_in_a_loop(x: Any) -> Any:
    specs = [tf.TensorSpec([], tf.int32), tf.TensorSpec([])]
    body = tf.function(lambda i, y: y + tf.random.normal([]), specs).get_concrete_function()
    body.add_to_graph(tf.compat.v1.get_default_graph())
    found = raw.For(start=0, limit=3, delta=1, input=[tf.constant(0.0)], body=body)
    return x, found[0]


def compared_at_large(x: Any) -> Any:
    """Shapes that do not fit make one False, and no row of them."""
    same = raw.Equal(x=x, y=tf.zeros([1, 4]), incompatible_shape_error=False)
    return tf.cast(same, tf.float32)


def as_long_as_the_rows(x: Any) -> Any:
    """An array that grows has at least as many entries as it was made with."""
    handle, flow = raw.TensorArrayV3(size=number_of(x), dtype=tf.float32, dynamic_size=True)
    return x + tf.cast(raw.TensorArraySizeV3(handle=handle, flow_in=flow), tf.float32)


MIXING = [
    rolled_by_count, rolled_by_rows, filled_up_by_count, in_steps_of_count, bounded_either_way,
    at_the_place_of_count, from_count_on,
    bounded_at_first, constants_by_rows, constants_by_count, read_before_written,
    random_in_a_loop, compared_at_large, as_long_as_the_rows,
]  # fmt: skip


@pytest.mark.parametrize("lowered", [False, True], ids=["functions", "lowered"])
@pytest.mark.parametrize("build", MIXING, ids=lambda build: build.__name__)
def test_what_is_hidden_is_found(build: Build, lowered: bool) -> None:
    assert not proof(build, lowered).mergeable


def chosen_constant(x: Any) -> Any:
    """A vector chooses among whole entries: its length is no common size of both."""
    chosen = raw.Select(condition=[True, False], x=tf.zeros([2, 3]), y=tf.ones([2, 3]))
    return tf.reshape(x, [-1, raw.Shape(input=chosen)[1]])


def picked_in_batches(x: Any) -> Any:
    """Of each list its own entry: two in all."""
    picked = raw.GatherV2(params=[[1, 2], [3, 4]], indices=[0, 1], axis=1, batch_dims=1)
    return tf.reshape(x, [-1, raw.Size(input=picked)])


@pytest.mark.parametrize("build", [chosen_constant, picked_in_batches])
def test_sizes_are_not_taken_for_others(build: Build) -> None:
    assert not proof(build, False, 4 if build is picked_in_batches else 2).mergeable


def read_late(x: Any) -> Any:
    """What is written through one flow is read through an older one, after a control edge."""
    array = raw.TensorArrayV3(size=2, dtype=tf.float32, clear_after_read=False)
    first = raw.TensorArrayWriteV3(handle=array[0], index=0, value=tf.ones([3]), flow_in=array[1])
    largest_of_all = tf.reduce_max(x, 0)
    second = raw.TensorArrayWriteV3(handle=array[0], index=1, value=largest_of_all, flow_in=first)
    with tf.control_dependencies([second]):
        return x + raw.TensorArrayReadV3(handle=array[0], index=1, flow_in=first, dtype=tf.float32)


def read_in_order(x: Any) -> Any:
    array = raw.TensorArrayV3(size=2, dtype=tf.float32, clear_after_read=False)
    flow = raw.TensorArrayWriteV3(handle=array[0], index=0, value=x * 2, flow_in=array[1])
    flow = raw.TensorArrayWriteV3(handle=array[0], index=1, value=x + 1, flow_in=flow)
    return x + raw.TensorArrayReadV3(handle=array[0], index=1, flow_in=flow, dtype=tf.float32)


def test_an_array_holds_all_that_is_written_to_it() -> None:
    assert not proof(read_late, False).mergeable
    assert proof(read_in_order, False).mergeable


def layer_normalised(x: Any) -> Any:
    """As Keras 2 does it: rows are channels, of which training takes each by itself."""
    ones = tf.ones([number_of(x) * 2])
    pictures = tf.reshape(x, [1, -1, 2, 1])
    found = raw.FusedBatchNormV3(x=pictures, scale=ones, offset=ones * 0, mean=[], variance=[],
        data_format="NCHW", is_training=True)  # fmt: skip
    return tf.reshape(found[0], [-1, 4])


def test_rows_may_be_channels_that_are_normalised_each_by_itself() -> None:
    assert proof(layer_normalised, False, 4).mergeable


def asserted(x: Any) -> Any:
    with tf.control_dependencies([tf.debugging.assert_less(x, 1e9)]):
        return x * 2


def on_a_grid(x: Any) -> Any:
    """Constants of numbers that are no sizes have known axes, too."""
    steps = raw.LinSpace(start=0.0, stop=1.0, num=3) + tf.range(0.0, 3.0)
    return x + raw.Identity(input=steps)


@pytest.mark.parametrize("build", [asserted, on_a_grid])
def test_what_looks_as_if_it_mixed_rows_does_not_matter(build: Build) -> None:
    assert proof(build, False).mergeable


def test_a_loop_that_mixes_is_followed() -> None:
    """Its merges give one thing more than is used."""

    def mixed_up(x: Any) -> Any:
        free = tf.TensorShape([None, None])
        start = (0, tf.transpose(x))
        return tf.while_loop(
            lambda i, y: i < 3, lambda i, y: (i + 1, x + 1), start, (tf.TensorShape([]), free)
        )[1]

    assert "joins rows" in proof(mixed_up, True).why
