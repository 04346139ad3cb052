"""Frozen graphs being loaded, run and tuned."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tfaas_core.engine.in_model_process.warming.warmup import warm
from tfaas_core.errors import CannotServe, DoesNotFit, TfaasError, Unavailable
from tfaas_core.runtime import Servable
from tfaas_core.tensors import Array
from tfaas_core.testing.waiting import until

Serve = Callable[..., Servable]


def rows(dtype: Any = tf.float32, width: int | None = 2) -> Any:
    return tf.compat.v1.placeholder(dtype, [None, width], name="x")


def negative() -> None:
    tf.negative(rows(), name="y")


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def is_clean(error: TfaasError) -> bool:
    return "\n" not in error.message and "{{" not in error.message and len(error.message) < 400


def test_outputs_are_contiguous_arrays_of_their_dtype(serve: Serve) -> None:
    def build() -> None:
        x = rows()
        tf.transpose(x, name="matrix")
        tf.reduce_sum(x, name="scalar")
        tf.strings.as_string(x[0, 0], name="text")

    servable = serve(build, [], ["matrix", "scalar", "text"])
    outputs = servable.run([np.ones((2, 2), np.float32)])
    for output, spec in zip(outputs, servable.signature.outputs, strict=True):
        assert isinstance(output, np.ndarray)
        assert output.dtype == spec.numpy_dtype
        assert output.flags.c_contiguous
    assert [output.shape for output in outputs] == [(2, 2), (), ()]


def test_a_run_leaves_its_inputs_as_they_are(serve: Serve) -> None:
    servable = serve(lambda: tf.nn.relu(rows() * 2 - 1), [], ["Relu"])
    array = np.ones((100_000, 2), np.float32)
    (output,) = servable.run([array])
    output[:] = 7
    assert (array == 1).all()


def test_inputs_need_not_be_contiguous(serve: Serve) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(serve(negative).run([array])[0], -array)


def test_no_rows_give_no_rows(serve: Serve) -> None:
    (output,) = serve(negative).run([np.zeros((0, 2), np.float32)])
    assert output.shape == (0, 2)


def test_a_graph_made_for_another_device_runs_here(serve: Serve) -> None:
    def elsewhere(graph_def: Any) -> None:
        graph_def.node[-1].device = "/job:worker/task:3/device:GPU:1"

    (output,) = serve(negative, edit=elsewhere).run([np.ones((1, 2), np.float32)])
    np.testing.assert_array_equal(output, [[-1, -1]])


def test_several_models_run_side_by_side(serve: Serve) -> None:
    servables = [serve(lambda factor=n: tf.multiply(rows(), factor)) for n in range(1, 4)]
    array = np.ones((1, 2), np.float32)
    assert [float(s.run([array])[0][0, 0]) for s in servables] == [1, 2, 3]


@pytest.mark.parametrize(("count", "own"), [(1, 1), (2, 4)])
def test_a_model_has_threads_of_its_own_that_end_with_it(
    serve: Serve, count: int, own: int
) -> None:
    serve(negative).run([np.ones((1, 2), np.float32)])  # starts those that are TensorFlow's own
    before = threads()
    servable = serve(negative, threads=count)
    servable.run([np.ones((1, 2), np.float32)])
    assert threads() == before + own
    servable.close()
    until(lambda: threads() == before)  # the system lists a thread for a moment after its end


@pytest.mark.parametrize(
    ("build", "values", "message"),
    [
        (
            lambda: tf.gather([1.0, 2.0], rows(tf.int32), name="y"),
            np.array([[0, 7]], np.int32),
            r"cannot run on these values: .*7 is not in \[0, 2\)",
        ),
        (
            lambda: tf.reshape(rows(), [4], name="y"),
            np.ones((3, 2), np.float32),
            "cannot run on these values: .*6 values, but the requested shape has 4",
        ),
        (
            lambda: tf.raw_ops.CheckNumerics(tensor=rows(), message="broken", name="y"),
            np.full((1, 2), np.nan, np.float32),
            "cannot run on these values: broken : Tensor had NaN values",
        ),
        (
            lambda: tf.strings.to_number(rows(tf.string), name="y"),
            np.array([[b"1", 2]], object),
            "cannot run on these values",
        ),
    ],
)
def test_values_that_cannot_be_run_are_refused_and_the_next_ones_are_not(
    serve: Serve, build: Callable[[], Any], values: Array, message: str
) -> None:
    servable = serve(build)
    with pytest.raises(DoesNotFit, match=message) as caught:
        servable.run([values])
    assert caught.value.code == "does_not_fit"
    assert is_clean(caught.value)
    dtype = servable.signature.inputs[0].numpy_dtype
    assert len(servable.run([np.array([[b"0", b"1"], [b"1", b"0"]], object).astype(dtype)])) == 1


def test_a_run_that_needs_too_much_memory_is_refused(serve: Serve) -> None:
    servable = serve(lambda: tf.zeros(tf.compat.v1.placeholder(tf.int32, [None], name="x")))
    with pytest.raises(Unavailable, match="not enough memory for this run") as caught:
        servable.run([np.array([1 << 20, 1 << 20, 1 << 9], np.int32)])
    assert is_clean(caught.value)


def variable() -> None:
    tf.add(rows(), tf.compat.v1.get_variable("w", [2], use_resource=True), name="y")


def reference_variable() -> None:
    tf.add(rows(), tf.compat.v1.get_variable("w", [2], use_resource=False), name="y")


def table() -> None:
    words = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.float32)
    tf.raw_ops.LookupTableFindV2(
        table_handle=words, keys=rows(tf.string), default_value=0.0, name="y"
    )


@pytest.mark.parametrize(
    ("build", "dtype"), [(variable, "f4"), (reference_variable, "f4"), (table, object)]
)
def test_a_graph_that_is_not_frozen_is_refused_at_its_first_run_at_the_latest(
    serve: Serve, build: Callable[[], Any], dtype: Any
) -> None:
    with pytest.raises(CannotServe, match=r"the graph is not frozen, .*(w|Table)") as caught:
        serve(build).run([np.full((1, 2), b"0").astype(dtype)])
    assert is_clean(caught.value)


def cast_that_there_is_not() -> None:
    cast = tf.function(lambda x: tf.raw_ops.Cast(x=x, DstT=tf.float32), autograph=False)
    tf.identity(cast(rows(tf.string)), name="y")


def test_a_run_that_this_machine_cannot_do_is_refused(serve: Serve) -> None:
    servable = serve(cast_that_there_is_not)
    with pytest.raises(CannotServe, match=r"this machine cannot run the model: Cast string to"):
        servable.run([np.array([[b"1", b"2"]], object)])


def table_of_odd_dtypes() -> None:
    x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
    table = tf.raw_ops.MutableHashTableV2(key_dtype=tf.float32, value_dtype=tf.float32, name="t")
    tf.raw_ops.LookupTableFindV2(table_handle=table, keys=x, default_value=0.0, name="y")


def test_an_op_without_a_kernel_is_refused(serve: Serve) -> None:
    with pytest.raises(CannotServe, match=r"node 't' uses 'Mutable\w+', .* on this machine"):
        serve(table_of_odd_dtypes)


def unknown_op(graph_def: Any) -> None:
    graph_def.node[-1].op = "Frobnicate"


def missing_attribute(graph_def: Any) -> None:
    del graph_def.node[-1].attr["T"]


def missing_node(graph_def: Any) -> None:
    graph_def.node[-1].input[0] = "gone"


def two_of_a_name(graph_def: Any) -> None:
    graph_def.node.add().CopyFrom(graph_def.node[0])


def from_the_future(graph_def: Any) -> None:
    graph_def.versions.min_consumer = 1_000_000


def long_name(graph_def: Any) -> None:
    graph_def.node[-1].input[0] = "gone" * 1000


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (unknown_op, "node 'y' uses 'Frobnicate', an op that TensorFlow [0-9.]+ does not know"),
        (missing_attribute, "missing attr 'T'.* y$"),
        (missing_node, "'y': Unknown input node 'gone'"),
        (two_of_a_name, "'x' is not unique"),
        (from_the_future, "min consumer"),
        (long_name, "gonegone.*…$"),
    ],
)
def test_a_broken_graph_is_refused(serve: Serve, edit: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(CannotServe, match=message) as caught:
        serve(negative, edit=edit)
    assert is_clean(caught.value)


def test_tuning_keeps_the_answers(serve: Serve) -> None:
    weights = np.linspace(-1, 1, 512 * 512, dtype=np.float32).reshape(512, 512)

    def build() -> None:
        hidden = rows(width=512)
        for _ in range(4):
            hidden = tf.tanh(tf.matmul(hidden, tf.constant(weights)))

    inputs = [np.linspace(-1, 1, 64 * 512, dtype=np.float32).reshape(64, 512)]
    servable = serve(build, threads=0)
    before = servable.run(inputs)
    servable.tune(inputs)
    np.testing.assert_allclose(servable.run(inputs)[0], before[0], rtol=1e-5, atol=1e-5)


def test_all_rows_of_wide_layers_share_a_run_for_they_are_faster_together(serve: Serve) -> None:
    weights = np.random.default_rng(1).normal(size=(1536, 1536)).astype("f4") / 50

    def build() -> None:
        hidden = rows(width=1536)
        for factor in (1.0, 0.9, 0.8):
            hidden = tf.tanh(tf.matmul(hidden, tf.constant(weights * factor)))

    warmed = warm(serve(build))
    assert (warmed.mergeable, warmed.shared_rows) == (True, 0)


def test_tuning_leaves_a_model_that_is_quick_anyway_alone(serve: Serve) -> None:
    servable = serve(negative, threads=0)
    inputs = [np.ones((1, 2), np.float32)]
    servable.run(inputs)
    before = threads()
    servable.tune(inputs)
    until(lambda: threads() == before)
