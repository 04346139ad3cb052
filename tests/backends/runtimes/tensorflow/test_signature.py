"""The dtypes, shapes and batch axis of a frozen graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tfaas_core.engine.in_model_process.warming.warmup import Warmed, warm
from tfaas_core.errors import CannotServe
from tfaas_core.runtime import Servable
from tfaas_core.tensors import NUMPY_DTYPES, BatchAxis

Serve = Callable[..., Servable]
Shape = tuple[int | None, ...] | None


def placeholder(shape: Any, name: str = "x", dtype: Any = tf.float32) -> Any:
    return tf.compat.v1.placeholder(dtype, shape, name=name)


def of_unknown_shape(tensor: Any) -> Any:
    """``tensor`` as far as a run is concerned, but of unknown rank to whoever reads the graph."""
    return tf.compat.v1.placeholder_with_default(tensor, None)


def batch_of(servable: Servable | Warmed) -> BatchAxis:
    return servable.signature.batch


def output_shape(servable: Servable | Warmed) -> Shape:
    return servable.signature.outputs[0].shape


@pytest.mark.parametrize("dtype", sorted(NUMPY_DTYPES.keys() - {"string"}))
def test_a_tensor_of_any_dtype_passes_unchanged(serve: Serve, dtype: str) -> None:
    servable = serve(lambda: tf.identity(placeholder([None, 3], dtype=tf.as_dtype(dtype))))
    array = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    assert [spec.dtype for spec in servable.signature.inputs] == [dtype]
    assert [spec.dtype for spec in servable.signature.outputs] == [dtype]
    (output,) = servable.run([array])
    assert output.dtype == array.dtype
    np.testing.assert_array_equal(output, array)


def test_strings_are_object_arrays_of_bytes(serve: Serve) -> None:
    servable = serve(lambda: tf.strings.lower(placeholder([None], dtype=tf.string), name="y"))
    (output,) = servable.run([np.array([b"Higgs", b"\xff\0"], object)])
    assert servable.signature.outputs[0].dtype == "string"
    assert output.dtype == object
    assert list(output) == [b"higgs", b"\xff\0"]


def test_bfloat16_is_served_as_float32(serve: Serve) -> None:
    servable = serve(lambda: tf.add(placeholder([None], dtype=tf.bfloat16), 1, name="y"))
    assert servable.signature.inputs[0].dtype == "float32"
    assert servable.signature.outputs[0].dtype == "float32"
    (output,) = servable.run([np.array([0.5, 2.0], np.float32)])
    assert output.dtype == np.float32
    np.testing.assert_array_equal(output, [1.5, 3.0])


@pytest.mark.parametrize("dtype", [tf.resource, tf.variant, tf.quint8])
def test_a_dtype_that_cannot_be_sent_is_refused(serve: Serve, dtype: Any) -> None:
    with pytest.raises(CannotServe, match=f"node 'x' holds {dtype.name}, which no request"):
        serve(lambda: tf.shape(placeholder([None], dtype=dtype), name="y"), [], ["y"])


def test_a_free_first_axis_is_the_batch(serve: Serve) -> None:
    servable = serve(lambda: tf.reduce_sum(placeholder([None, 2, None]), 2, name="y"))
    assert batch_of(servable) is BatchAxis.FREE
    assert servable.signature.inputs[0].shape == (None, 2, None)
    assert output_shape(servable) == (None, 2)


def test_a_first_axis_of_one_everywhere_is_a_batch_of_one(serve: Serve) -> None:
    servable = serve(lambda: tf.negative(placeholder([1, 3]), name="y"))
    assert batch_of(servable) is BatchAxis.ONE
    assert output_shape(servable) == (1, 3)


@pytest.mark.parametrize("shape", [[], [3], [2, 3], [None, 3]])
def test_an_output_without_the_rows_leaves_no_batch_axis(serve: Serve, shape: Any) -> None:
    servable = serve(lambda: tf.reduce_sum(placeholder(shape), name="y"))
    assert batch_of(servable) is BatchAxis.NONE
    assert output_shape(servable) == ()


def test_an_input_without_a_free_first_axis_leaves_no_batch_axis(serve: Serve) -> None:
    servable = serve(lambda: tf.multiply(placeholder([None, 3]), placeholder([], "factor")))
    assert batch_of(servable) is BatchAxis.NONE
    assert output_shape(servable) == (None, 3)


def test_inputs_of_unknown_shape_are_whole_tensors(serve: Serve) -> None:
    servable = serve(lambda: tf.negative(placeholder(None), name="y"))
    assert batch_of(servable) is BatchAxis.NONE
    assert servable.signature.inputs[0].shape is None
    assert output_shape(servable) is None
    for shape in [(), (2,), (2, 1, 3)]:
        (output,) = servable.run([np.ones(shape, np.float32)])
        np.testing.assert_array_equal(output, -np.ones(shape))


def test_an_unknown_output_shape_is_learnt_by_running(serve: Serve) -> None:
    servable = serve(lambda: of_unknown_shape(tf.zeros([3]) + placeholder([None, 1])))
    assert batch_of(warm(servable)) is BatchAxis.FREE
    assert output_shape(warm(servable)) == (None, 3)


def test_sizes_that_follow_a_free_one_stay_free(serve: Serve) -> None:
    servable = serve(lambda: of_unknown_shape(tf.stack([placeholder([None, None])] * 2, 2)))
    assert output_shape(warm(servable)) == (None, None, 2)


def test_sizes_that_no_made_up_values_tell_are_told_by_the_proof(serve: Serve) -> None:
    def build() -> None:
        x = placeholder([None, None, 1])
        of_unknown_shape(tf.nn.conv1d(x, tf.ones([5, 1, 2]), 1, "VALID"))

    servable = serve(build)
    assert batch_of(servable) is BatchAxis.FREE
    assert output_shape(servable) == (None, None, 2)


@pytest.mark.parametrize("combine", [tf.reduce_sum, tf.transpose, tf.where])
def test_an_unknown_output_that_does_not_follow_the_rows_leaves_no_batch_axis(
    serve: Serve, combine: Callable[[Any], Any]
) -> None:
    servable = serve(lambda: of_unknown_shape(combine(placeholder([None, 3]))))
    assert batch_of(warm(servable)) is BatchAxis.NONE
    assert output_shape(warm(servable)) is None


def test_an_unknown_output_of_a_graph_that_runs_no_zeros_leaves_no_batch_axis(
    serve: Serve,
) -> None:
    servable = serve(
        lambda: (
            of_unknown_shape(tf.io.decode_raw(placeholder([None], dtype=tf.string), tf.int16))
            + tf.cast(tf.io.parse_tensor(tf.constant(b"no tensor"), tf.int32), tf.int16)
        )
    )
    assert batch_of(warm(servable)) is BatchAxis.NONE


# The batch axis that the params give, and named sizes.

FREE, ONE, NONE = BatchAxis.FREE, BatchAxis.ONE, BatchAxis.NONE


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ([None, 3], FREE),
        ([None, 3], ONE),
        ([None, 3], NONE),
        ([1, 3], ONE),
        ([1, 3], NONE),
        (None, FREE),
        (None, ONE),
        ([], NONE),
    ],
)
def test_the_batch_axis_that_the_params_give_is_obeyed(
    serve: Serve, shape: Any, axis: BatchAxis
) -> None:
    assert batch_of(serve(lambda: tf.negative(placeholder(shape), name="y"), axis=axis)) is axis


@pytest.mark.parametrize(
    ("build", "axis", "message"),
    [
        (
            lambda: tf.multiply(placeholder([None, 3]), placeholder([], "factor")),
            FREE,
            r"axis is \"free\", but input 'factor' is float32 \[\]: .* begin with a free size",
        ),
        (lambda: tf.negative(placeholder([1, 3])), FREE, r"input 'x' is float32 \[1, 3\]"),
        (lambda: tf.negative(placeholder([2, 3])), ONE, "does not begin with 1 or a free size"),
        (lambda: tf.reduce_sum(placeholder([None, 3]), name="y"), FREE, "output 'y' is float32"),
        (lambda: tf.reduce_sum(placeholder([1, 3]), name="y"), ONE, "output 'y' is float32"),
    ],
)
def test_a_batch_axis_that_the_shapes_do_not_allow_is_refused(
    serve: Serve, build: Callable[[], Any], axis: BatchAxis, message: str
) -> None:
    with pytest.raises(CannotServe, match=message) as caught:
        serve(build, axis=axis)
    assert caught.value.details["field"] == "batch.axis"


@pytest.mark.parametrize(("other", "axis"), [("", FREE), ("rows", FREE), ("edges", NONE)])
def test_first_sizes_of_different_names_are_no_rows(
    serve: Serve, other: str, axis: BatchAxis
) -> None:
    def name_sizes(graph_def: Any) -> None:
        names = {"x": "rows", "z": other}
        for node in graph_def.node:
            if node.name in names:
                node.attr["shape"].shape.dim[0].name = names[node.name]

    def build() -> None:
        tf.negative(placeholder([None, 3], "x"), name="a")
        tf.negative(placeholder([None, 2], "z"), name="b")

    assert batch_of(serve(build, ["x", "z"], ["a", "b"], edit=name_sizes)) is axis
    given = serve(build, ["x", "z"], ["a", "b"], edit=name_sizes, axis=FREE)
    assert batch_of(given) is FREE
