"""The private parts of TensorFlow are where they were, and do what they did.

Where one of these fails with a new TensorFlow, its name says what has moved.
"""

from __future__ import annotations

import ast
import importlib
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[4]
RUNTIMES = ROOT / "backends" / "tfaas_backends" / "runtimes"
PRIVATE = RUNTIMES / "tensorflow" / "private.py"

MODULES = {
    "tensorflow.compiler.tf2xla.python.xla": ["call_module_maximum_supported_version"],
    "tensorflow.core.framework.dataset_options_pb2": ["Options"],
    "tensorflow.core.framework.tensor_pb2": ["TensorProto"],
    "tensorflow.core.protobuf.config_pb2": ["CallableOptions"],
    "tensorflow.core.protobuf.meta_graph_pb2": ["AssetFileDef", "MetaGraphDef"],
    "tensorflow.core.protobuf.saved_model_pb2": ["SavedModel"],
    "tensorflow.core.protobuf.trackable_object_graph_pb2": ["TrackableObjectGraph"],
    "tensorflow.python.framework.dtypes": ["bool", "int32", "int64"],
    "tensorflow.python.framework.kernels": ["get_all_registered_kernels"],
    "tensorflow.python.framework.op_def_registry": ["get"],
    "tensorflow.python.framework.tensor_util": ["MakeNdarray"],
    "tensorflow.python.util.pywrap_xla_ops": ["get_cpu_kernel_names"],
}


@pytest.fixture(scope="module", autouse=True)
def settings() -> None:
    """TensorFlow is first imported with the settings of the runtimes."""
    importlib.import_module("tfaas_backends.runtimes.tensorflow.private")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_what_is_used_of_it(name: str) -> None:
    module = importlib.import_module(name)
    missing = [part for part in MODULES[name] if not hasattr(module, part)]
    assert not missing, f"TensorFlow {version('tensorflow')} has no {missing} in {name} any more"


def test_all_modules_that_are_imported_are_checked_here() -> None:
    assert set(_imported()) == MODULES.keys()


def _imported() -> Iterator[str]:
    for node in ast.walk(ast.parse(PRIVATE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tensorflow."):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nobody_else_touches_private_parts() -> None:
    for file in sorted(RUNTIMES.rglob("*.py")):
        if file != PRIVATE:
            touched = [
                node.attr
                for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
                if isinstance(node, ast.Attribute)
                and node.attr.startswith("_")
                and not node.attr.startswith("__")
                and ast.unparse(node.value) not in ("self", "cls")
            ]
            assert not touched, f"{file} touches {touched}"


def test_a_callable_runs_a_graph_by_the_names_of_its_tensors() -> None:
    from tfaas_backends.runtimes.tensorflow.private import callable_of, config_pb2
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        tf.multiply(x, 2.0, "y")
        options = config_pb2.CallableOptions(feed=["x:0"], fetch=["y:0"])
        (outputs,) = callable_of(session, options)(np.array([1, 2], np.float32))
    assert outputs.tolist() == [2, 4]


def test_ops_tell_what_they_are_and_where_they_run() -> None:
    from tfaas_backends.runtimes.tensorflow.private import (
        kernels,
        op_def_registry,
        pywrap_xla_ops,
    )

    op: Any = op_def_registry.get("MatMul")
    assert [argument.name for argument in op.input_arg] == ["a", "b"]
    assert not op.is_stateful
    assert op_def_registry.get("NoSuchOp") is None
    found = {(k.op, k.device_type) for k in kernels.get_all_registered_kernels().kernel}
    assert {("Add", "CPU"), ("CudnnRNN", "GPU")} <= found
    assert ("CudnnRNN", "CPU") not in found
    assert "Add" in pywrap_xla_ops.get_cpu_kernel_names()


def test_tensors_of_a_graph_become_arrays() -> None:
    from tfaas_backends.runtimes.tensorflow.private import dtypes, tensor_util, xla
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    array = tensor_util.MakeNdarray(tf.make_tensor_proto([[1, 2]], tf.int64))
    assert (array.tolist(), array.dtype) == ([[1, 2]], np.int64)
    assert dtypes.int64.as_datatype_enum == tf.make_tensor_proto(1, tf.int64).dtype
    assert xla.call_module_maximum_supported_version() >= 1


@pytest.mark.parametrize("name", ["alembic", "sanic", "tensorflow"])
def test_what_private_parts_are_used_of_has_an_upper_bound(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    (found,) = (requirement for requirement in wanted if requirement.name == name)
    assert any(bound.operator == "<" for bound in found.specifier)
    assert found.specifier.contains(version(name))
