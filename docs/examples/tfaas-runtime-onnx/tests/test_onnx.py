from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tfaas_runtime_onnx import tfaas_register_runtimes
from tfaas_runtime_onnx.runtime import OnnxRuntime

from tfaas_core.errors import BadBody, CannotServe, DoesNotFit
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable, Verdict
from tfaas_core.tensors import BatchAxis

RUNTIME = OnnxRuntime()
WEIGHTS = np.array([[1.0], [2.0], [3.0]], np.float32)
FLOAT, TEXT, INT64 = TensorProto.FLOAT, TensorProto.STRING, TensorProto.INT64


def written(
    folder: Path, nodes: list, inputs: list, outputs: list, weights: list | None = None
) -> Path:
    graph = helper.make_graph(nodes, "graph", inputs, outputs, weights or [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def tensor(name: str, kind: int, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def linear(folder: Path, rows: int | str = "rows") -> Path:
    """x [rows, 3] to y [rows, 1]."""
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [tensor("x", FLOAT, rows, 3)], [tensor("y", FLOAT, rows, 1)]
    return written(folder, [node], *ends, [numpy_helper.from_array(WEIGHTS, "w")])


def loaded(artifact: Path, **params: object) -> Servable:
    return RUNTIME.load(artifact, Params.of(params), LoadOptions())


def test_the_plugin_registers_the_runtime() -> None:
    assert list(tfaas_register_runtimes()) == ["onnx"]


def test_a_model_answers_as_its_weights_say(tmp_path: Path) -> None:
    servable = loaded(linear(tmp_path))
    rows = np.array([[1, 1, 1], [0, 0, 2]], np.float32)
    (answer,) = servable.run([rows])
    np.testing.assert_array_equal(answer, rows @ WEIGHTS)
    assert not servable.stateful
    servable.close()


@pytest.mark.parametrize(
    ("rows", "axis"), [("rows", BatchAxis.FREE), (1, BatchAxis.ONE), (2, BatchAxis.NONE)]
)
def test_the_first_axis_is_that_of_rows(tmp_path: Path, rows: int | str, axis: BatchAxis) -> None:
    signature = loaded(linear(tmp_path, rows)).signature
    assert signature.batch is axis
    assert signature.inputs[0].shape == (None if rows == "rows" else rows, 3)


def test_strings_are_bytes_here_and_texts_there(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    servable = loaded(written(tmp_path, [node], [tensor("x", TEXT, "n")], [tensor("y", TEXT, "n")]))
    (answer,) = servable.run([np.array(["ä".encode(), b""], object)])
    assert answer.tolist() == ["ä".encode(), b""]
    with pytest.raises(DoesNotFit, match="not UTF-8"):
        servable.run([np.array([b"\xff"], object)])


def test_values_that_cannot_be_run_do_not_fit(tmp_path: Path) -> None:
    node = helper.make_node("Gather", ["w", "x"], ["y"])
    weights = [numpy_helper.from_array(WEIGHTS, "w")]
    ends = [tensor("x", INT64, "n")], [tensor("y", FLOAT, "n", 1)]
    servable = loaded(written(tmp_path, [node], *ends, weights))
    with pytest.raises(DoesNotFit, match="indices element out of data bounds"):
        servable.run([np.array([7])])


def test_a_model_that_draws_random_numbers_is_stateful(tmp_path: Path) -> None:
    node = helper.make_node("RandomNormalLike", ["x"], ["y"])
    ends = [tensor("x", FLOAT, "n")], [tensor("y", FLOAT, "n")]
    assert loaded(written(tmp_path, [node], *ends)).stateful


def test_params_choose_outputs_and_what_is_no_tensor_is_left_out(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("Neg", ["x"], ["less"]),
        helper.make_node("SequenceConstruct", ["x"], ["many"]),
    ]
    many = helper.make_tensor_sequence_value_info("many", FLOAT, ["n"])
    ends = [tensor("x", FLOAT, "n")], [tensor("same", FLOAT, "n"), tensor("less", FLOAT, "n"), many]
    file = written(tmp_path, nodes, *ends)
    assert [spec.name for spec in loaded(file).signature.outputs] == ["same", "less"]
    assert loaded(file).signature.left_out == ("many (seq(tensor(float)))",)
    assert [s.name for s in loaded(file, outputNode="less").signature.outputs] == ["less"]
    with pytest.raises(CannotServe, match="has no output 'many' that is a tensor"):
        loaded(file, outputNode="many")


def test_files_are_told_by_how_they_begin(tmp_path: Path) -> None:
    file = linear(tmp_path)
    assert RUNTIME.claim(file, "") is Verdict.SURE
    graph_def = tmp_path / "graph.pb"
    graph_def.write_bytes(b"\x0a\x03\x0a\x01x")
    assert RUNTIME.claim(graph_def, "graph.pb") is Verdict.NO
    assert RUNTIME.claim(graph_def, "odd.onnx") is Verdict.SURE
    assert RUNTIME.claim(tmp_path, "") is Verdict.SURE
    assert RUNTIME.count_ops(file, Params()) == {"MatMul": 1}


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x0a\x12\x00"])
def test_a_broken_file_is_a_bad_body(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    with pytest.raises(BadBody, match="no ONNX model"):
        loaded(file)


def test_an_op_that_is_not_known_cannot_be_served(tmp_path: Path) -> None:
    node = helper.make_node("Frobnicate", ["x"], ["y"], domain="com.example")
    graph = helper.make_graph([node], "g", [tensor("x", FLOAT, "n")], [tensor("y", FLOAT, "n")])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "m.onnx")
    with pytest.raises(CannotServe, match="Frobnicate"):
        loaded(tmp_path / "m.onnx")


def test_weights_may_lie_beside_the_model(tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    model = onnx.load(linear(alone))
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    onnx.save(
        model, bundle / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0
    )
    assert list(RUNTIME.find(alone)) == [alone / "model.onnx"]
    assert list(RUNTIME.find(bundle)) == [bundle]
    rows = np.ones((1, 3), np.float32)
    assert loaded(bundle).run([rows])[0].tolist() == [[6.0]]
