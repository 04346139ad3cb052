"""Which signature of a SavedModel is served, and its names, dtypes and batch axis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import (
    answers,
    edit,
    function,
    load,
    names,
    save,
    save_v1,
    v1,
)
from tfaas_core.errors import CannotServe, DoesNotFit
from tfaas_core.tensors import NUMPY_DTYPES, BatchAxis

ONES = np.ones(2, np.float32)


def scaling(factor: float) -> Any:
    return function(lambda x: {"y": factor * x}, x=tf.float32)


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of TensorFlow 1: its graph has tensors that are not in the signature."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], name="dense_input")
        keep = v1.placeholder(tf.float32, [], name="keep")
        hidden = tf.multiply(x, v1.get_variable("w", initializer=3.0), name="dense/Mul")
        outputs = tf.split(hidden - 1, [1, 1], name="dense/split")
        tf.multiply(hidden, keep, name="dropout")
        return {"x": x}, {"y": hidden, "first": outputs[0]}

    return save_v1(tmp_path_factory.mktemp("network") / "model", build)


# Signatures and tags.


def test_a_signature_is_chosen_by_name(tmp_path: Path) -> None:
    folder = save(tmp_path / "model", {"double": scaling(2), "triple": scaling(3)})
    assert answers(load(folder, signature="double"), ONES)["y"].tolist() == [2, 2]
    assert answers(load(folder, signature="triple"), ONES)["y"].tolist() == [3, 3]
    with pytest.raises(CannotServe, match=r"'half', but the SavedModel has 'double', 'triple'$"):
        load(folder, signature="half")


def test_serving_default_is_the_one_unless_another_is_named(tmp_path: Path) -> None:
    folder = save(tmp_path / "model", {"serving_default": scaling(2), "a": scaling(3)})
    assert answers(load(folder), ONES)["y"].tolist() == [2, 2]
    assert answers(load(folder, signature="a"), ONES)["y"].tolist() == [3, 3]


def test_the_only_signature_needs_no_name(tmp_path: Path) -> None:
    folder = save(tmp_path / "model", {"a": scaling(3)})
    assert answers(load(folder), ONES)["y"].tolist() == [3, 3]


def test_a_model_without_signatures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match="has no signature: save it with one"):
        load(save(tmp_path / "model", {}))


def test_a_signature_without_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match="signature 'serving_default' has no input"):
        load(save(tmp_path / "model", function(lambda: {"y": tf.ones(2)})))


def test_a_sparse_input_is_refused(tmp_path: Path) -> None:
    def make_sparse(meta_graph: Any) -> None:
        info = meta_graph.signature_def["serving_default"].inputs["x"]
        info.coo_sparse.values_tensor_name = info.name

    folder = edit(save(tmp_path / "model", scaling(2)), make_sparse)
    with pytest.raises(CannotServe, match=r"input 'x' of .* is sparse or ragged: only plain"):
        load(folder)


@pytest.mark.parametrize("tags", ["serve,gpu", "gpu, serve", ["gpu", "serve"]])
def test_a_graph_is_chosen_by_its_tags(tmp_path: Path, tags: Any) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None])
        return {"x": x}, {"y": x * v1.get_variable("w", initializer=2.0)}

    folder = save_v1(tmp_path / "model", build, tags=["serve", "gpu"])
    assert answers(load(folder, tags=tags), ONES)["y"].tolist() == [2, 2]
    with pytest.raises(CannotServe, match=r'\["serve"\], only with \["gpu", "serve"\]: '):
        load(folder)
    with pytest.raises(DoesNotFit, match=r"params\.tags is neither"):
        load(folder, tags=7)


@pytest.mark.parametrize("skip", [False, True])
def test_a_graph_without_tags_is_chosen_by_an_empty_list(tmp_path: Path, skip: bool) -> None:
    folder = save(tmp_path / "model", scaling(2), experimental_skip_saver=skip)
    with pytest.raises(
        CannotServe, match=r'with the tags \[\], only with \["serve"\]: .*: \["serve"\]'
    ):
        load(folder, tags=[])
    edit(folder, lambda meta_graph: meta_graph.meta_info_def.ClearField("tags"))
    assert answers(load(folder, tags=[]), ONES)["y"].tolist() == [2, 2]
    for tags in (None, "", "serve"):
        with pytest.raises(
            CannotServe, match=r'\["serve"\], only with \[\]: .*, like "tags": \[\]'
        ):
            load(folder, tags=tags)


@pytest.mark.parametrize("names", [["serving_default"], ["double"], ["a", "serving_default"]])
def test_a_signature_tells_its_name(tmp_path: Path, names: list[str]) -> None:
    folder = save(tmp_path / "model", {name: scaling(2) for name in names})
    assert load(folder).signature.name == names[-1]
    assert load(folder, signature=names[0]).signature.name == names[0]


# Inputs and outputs.


def test_inputs_and_outputs_have_the_signature_s_names_in_natural_order(tmp_path: Path) -> None:
    body = function(
        lambda b, a: {f"output_{n}": n * a + b for n in range(12)}, b=tf.float32, a=tf.float32
    )
    servable = load(save(tmp_path / "model", body))
    assert names(servable.signature.inputs) == ["a", "b"]
    assert names(servable.signature.outputs) == [f"output_{n}" for n in range(12)]
    outputs = servable.run([np.array([10], np.float32), np.array([7], np.float32)])
    assert [float(output[0]) for output in outputs] == [10 * n + 7 for n in range(12)]


@pytest.mark.parametrize("given", ["x", "x:0", "dense_input", "dense_input:0", " dense_input "])
def test_an_input_is_named_by_its_key_or_its_tensor(network: Path, given: str) -> None:
    assert names(load(network, inputNode=given).signature.inputs) == ["x"]


@pytest.mark.parametrize(
    ("given", "name", "answer"),
    [
        ("y", "y", [3, 3]),
        ("dense/Mul:0", "y", [3, 3]),
        ("first", "first", [2]),
        ("dense/split", "first", [2]),
        ("dense/split:1", "dense/split:1", [2]),
        ("dense_input", "dense_input", [1, 1]),
    ],
)
def test_an_output_is_any_tensor_of_the_graph(
    network: Path, given: str, name: str, answer: list[float]
) -> None:
    output = answers(load(network, outputNode=given), ONES)
    assert {name: values.tolist() for name, values in output.items()} == {name: answer}


def test_nodes_keep_the_order_in_which_they_are_given(network: Path) -> None:
    servable = load(network, outputNode=["y", "first"])
    assert names(servable.signature.outputs) == ["y", "first"]


def test_any_tensor_can_be_an_input(network: Path) -> None:
    servable = load(network, inputNode="dense/Mul", outputNode="first")
    assert names(servable.signature.inputs) == ["dense/Mul"]
    assert answers(servable, ONES)["first"].tolist() == [0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"outputNode": "nope"},
            r"outputNode names 'nope', but .* has 'first', 'y', and the graph",
        ),
        ({"inputNode": "nope"}, r"inputNode names 'nope', but .* has 'x', and the graph no such"),
        ({"inputNode": ["x", "dense_input"]}, "inputNode names 'x' twice"),
        ({"outputNode": "dropout"}, "placeholder 'keep', which params.inputNode does not name"),
        ({"outputNode": "dense/Mul:4"}, "graph has no tensor 'dense/Mul:4'"),
    ],
)
def test_nodes_that_do_not_fit_are_refused(
    network: Path, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(CannotServe, match=message):
        load(network, **params)


def test_a_placeholder_that_the_signature_left_out_can_be_named(network: Path) -> None:
    servable = load(network, inputNode=["x", "keep"], outputNode="dropout")
    assert servable.run([ONES, np.array(0.5, np.float32)])[0].tolist() == [1.5, 1.5]


@pytest.mark.parametrize("dtype", sorted(NUMPY_DTYPES.keys() - {"string"}))
def test_a_tensor_of_any_dtype_passes(tmp_path: Path, dtype: str) -> None:
    module = tf.Module()
    module.kept = tf.Variable(np.array([0, 1], dtype))
    body = function(lambda x: {"y": tf.concat([x, module.kept], 0)}, x=tf.as_dtype(dtype))
    servable = load(save(tmp_path / "model", body, module))
    output = answers(servable, np.ones(1, dtype))["y"]
    assert [spec.dtype for spec in servable.signature.inputs] == [dtype]
    assert output.dtype == NUMPY_DTYPES[dtype]
    assert output.tolist() == [1, 0, 1]


def test_strings_are_object_arrays_of_bytes(tmp_path: Path) -> None:
    module = tf.Module()
    module.end = tf.Variable("!")
    body = function(lambda x: {"y": x + module.end}, x=tf.string)
    output = answers(
        load(save(tmp_path / "model", body, module)), np.array([b"a", b"\xff"], object)
    )
    assert output["y"].tolist() == [b"a!", b"\xff!"]


def test_bfloat16_is_served_as_float32(tmp_path: Path) -> None:
    module = tf.Module()
    module.one = tf.Variable(1, dtype=tf.bfloat16)
    body = function(lambda x: {"y": x + module.one}, x=tf.bfloat16)
    servable = load(save(tmp_path / "model", body, module))
    assert servable.signature.inputs[0].dtype == servable.signature.outputs[0].dtype == "float32"
    assert answers(servable, ONES)["y"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("shape", "body", "batch", "output"),
    [
        ([None, 2], lambda x: x + 1, BatchAxis.FREE, (None, 2)),
        ([None, None], lambda x: tf.reduce_sum(x, 1), BatchAxis.FREE, (None,)),
        ([1, 2], lambda x: x + 1, BatchAxis.ONE, (1, 2)),
        ([3, 2], lambda x: x + 1, BatchAxis.NONE, (3, 2)),
        ([], lambda x: x + 1, BatchAxis.NONE, ()),
        ([None, 2], tf.reduce_sum, BatchAxis.NONE, ()),
        (None, lambda x: x + 1, BatchAxis.NONE, None),
    ],
)
def test_the_batch_axis_is_told_by_the_shapes(
    tmp_path: Path, shape: Any, body: Callable[[Any], Any], batch: BatchAxis, output: Any
) -> None:
    spec = tf.TensorSpec(shape, tf.float32)
    servable = load(save(tmp_path / "model", function(lambda x: {"y": body(x)}, x=spec)))
    assert servable.signature.batch is batch
    assert servable.signature.outputs[0].shape == output


def name_first_sizes(meta_graph: Any) -> None:
    inputs = meta_graph.signature_def["serving_default"].inputs
    for key, info in inputs.items():
        info.tensor_shape.dim[0].name = f"number of {key}"


def test_first_sizes_that_the_signature_names_are_no_rows(tmp_path: Path) -> None:
    spec = tf.TensorSpec([None, 2], tf.float32)
    body = function(lambda nodes, edges: {"a": -nodes, "b": -edges}, nodes=spec, edges=spec)
    folder = save(tmp_path / "model", body)
    assert load(folder).signature.batch is BatchAxis.FREE
    edit(folder, name_first_sizes)
    assert load(folder).signature.batch is BatchAxis.NONE
    assert load(folder, batch={"axis": "free"}).signature.batch is BatchAxis.FREE
