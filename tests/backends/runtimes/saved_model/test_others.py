"""The further signatures of a SavedModel: served beside the chosen one, of the same variables."""

from __future__ import annotations

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
)
from tfaas_core.errors import DoesNotFit
from tfaas_core.runtime import LoadOptions

ONE = np.array([1], np.float32)


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    """``add`` adds to a variable, and ``total`` tells it; ``serving_default`` doubles."""
    module = tf.Module()
    module.total = tf.Variable(0.0)

    def add(x: Any) -> Any:
        return {"y": module.total.assign_add(tf.reduce_sum(x))}

    signatures = {
        "add": function(add, x=tf.float32),
        "serving_default": function(lambda x: {"y": x * 2.0}, x=tf.float32),
        "total": function(lambda: {"y": module.total.read_value()}),
    }
    return save(tmp_path / "counter", signatures, module)


def test_all_are_served_of_one_set_of_variables(counter: Path) -> None:
    servable = load(counter)
    assert servable.signature.name == "serving_default"
    assert list(servable.others) == ["add", "total"]
    assert answers(servable.others["add"], ONE)["y"] == 1
    assert answers(servable.others["add"], ONE)["y"] == 2
    assert answers(servable.others["total"])["y"] == 2
    assert answers(servable, ONE)["y"].tolist() == [2]
    assert not servable.stateful
    assert servable.others["add"].stateful
    servable.others["add"].reset()
    assert answers(servable.others["total"])["y"] == 0


def test_a_name_chooses_which_is_first_and_which_are_loaded(counter: Path) -> None:
    assert list(load(counter, signature="add").others) == ["serving_default", "total"]
    some = LoadOptions(threads=1, signatures=("total",))
    assert list(load(counter, some).others) == ["total"]
    assert not load(counter, LoadOptions(threads=1, signatures=())).others


def test_one_without_a_default_and_inputs_is_not_the_first(tmp_path: Path) -> None:
    both = {
        "a": function(lambda: {"y": tf.constant(1.0)}),
        "b": function(lambda x: {"y": x}, x=tf.float32),
    }
    servable = load(save(tmp_path / "model", both))
    assert servable.signature.name == "b"
    assert list(servable.others) == ["a"]


def test_what_no_request_can_hold_is_left_out(tmp_path: Path) -> None:
    signatures = {
        "complex": function(lambda x: {"y": tf.bitcast(x, tf.qint32)}, x=tf.int32),
        "serving_default": function(lambda x: {"y": x}, x=tf.float32),
    }
    servable = load(save(tmp_path / "model", signatures))
    assert not servable.others
    assert {"complex", "serving_default"} <= servable.declared.keys()


def test_all_that_the_file_declares_is_told_as_protobuf_writes_it(counter: Path) -> None:
    declared = load(counter).declared
    assert declared["add"]["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "name": "add_x:0",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
    }
    assert "__saved_model_init_op" in declared


def test_the_dtype_of_a_variable_s_own_tensor_is_that_of_its_value(tmp_path: Path) -> None:
    def build() -> tuple[dict[str, Any], dict[str, Any]]:
        x = tf.compat.v1.placeholder(tf.float32, [], "x")
        total = tf.compat.v1.get_variable("total", initializer=0.0)
        return {"x": x}, {"y": tf.compat.v1.assign_add(total, x)}

    servable = load(save_v1(tmp_path / "model", build, resources=False))
    assert servable.signature.outputs[0].dtype == "float32"
    assert servable.declared["serving_default"]["outputs"]["y"]["dtype"] == "DT_FLOAT"


def test_a_run_takes_inputs_of_another_shape_if_the_graph_does(tmp_path: Path) -> None:
    def double(x: Any) -> Any:
        return {"y": x * 2.0, "product": tf.matmul(x, tf.ones([1, 1]))}

    spec = tf.TensorSpec([None, 1], tf.float32)
    both = {
        "serving_default": function(lambda x: {"y": x * 2.0}, x=spec),
        "product": function(double, x=spec),
    }
    servable = load(save(tmp_path / "model", both))
    assert servable.takes_any_shape
    assert answers(servable, np.ones(3, np.float32))["y"].tolist() == [2, 2, 2]
    with pytest.raises(DoesNotFit):
        servable.others["product"].run([np.ones(3, np.float32)])


def test_where_an_old_signature_declares_no_sizes_those_of_the_graph_count(
    tmp_path: Path,
) -> None:
    spec = tf.TensorSpec([None, 1], tf.float32)
    folder = save(tmp_path / "model", function(lambda x: {"y": x + 1.0}, x=spec))

    def forget_sizes(meta_graph: Any) -> None:
        del meta_graph.signature_def["serving_default"].inputs["x"].tensor_shape.dim[:]

    servable = load(edit(folder, forget_sizes))
    assert names(servable.signature.inputs) == ["x"]
    assert servable.signature.inputs[0].shape == (None, 1)


def test_bfloat16_tells_that_float32_stands_for_it(tmp_path: Path) -> None:
    body = function(lambda x: {"y": x}, x=tf.bfloat16)
    spec = load(save(tmp_path / "model", body)).signature.inputs[0]
    assert (spec.dtype, spec.carried) == ("float32", "bfloat16")
