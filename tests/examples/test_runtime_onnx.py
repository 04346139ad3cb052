"""ONNX models over HTTP, by the example ``tfaas-runtime-onnx``."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.conftest import Example, Install, mapped
from tfaas_core.testing.server import RunningServer

# What it computes of the three numbers of a row: their sum, weighted by 1, 2 and 3.
MAKE_MODEL = """
import sys, numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("rows", 3))
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("rows", 1))
weights = numpy_helper.from_array(np.array([[1.0], [2.0], [3.0]], np.float32), "w")
node = helper.make_node("MatMul", ["x", "w"], ["y"])
graph = helper.make_graph([node], "graph", [x], [y], [weights])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
onnx.save(model, sys.argv[1])
onnx.save(model, sys.argv[2], save_as_external_data=True, location="m.data", size_threshold=0)
"""


@pytest.fixture(scope="module")
def example(install: Install) -> Example:
    return install("tfaas-runtime-onnx")


@pytest.fixture(scope="module")
def models(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``model.onnx``, and a bundle with weights beside the model."""
    folder = tmp_path_factory.mktemp("onnx")
    (folder / "bundle").mkdir()
    example.run("-c", MAKE_MODEL, folder / "model.onnx", folder / "bundle" / "m.onnx")
    return folder


@pytest.fixture(scope="module")
def server(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with example.served(tmp_path_factory.mktemp("served"), "server.workers=1") as server:
        yield server


def bundled(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, folder.name)
    return packed.getvalue()


def test_its_own_tests_pass(example: Example) -> None:
    example.run("-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_a_file_and_a_bundle_are_uploaded_and_answer(server: RunningServer, models: Path) -> None:
    files = {"model": ("sum.onnx", (models / "model.onnx").read_bytes())}
    uploaded = server.http.post("/upload", data={"name": "bare"}, files=files)
    assert uploaded.status_code == 200, uploaded.text
    assert (uploaded.json()["runtime"], uploaded.json()["model"]) == ("onnx", "sum.onnx")
    headers = {"Content-Type": "application/gzip"}
    body = bundled(models / "bundle")
    uploaded = server.http.post("/upload?name=packed", content=body, headers=headers)
    assert uploaded.status_code == 200, uploaded.text
    for name in ("bare", "packed"):
        assert server.predict(model=name, values=[1, 1, 1]).json() == [6.0]
        assert server.predict(model=name, values=[[1, 0, 0], [0, 0, 1]]).json() == [[1.0], [3.0]]
        wrong = server.predict(model=name, values=[1, 2])
        assert wrong.status_code == 422
    downloaded = server.http.get("/models/packed/download").content
    again = server.http.post("/upload?name=again", content=downloaded, headers=headers)
    assert again.json()["checksum"] == uploaded.json()["checksum"]


def test_a_broken_model_is_refused(server: RunningServer) -> None:
    files = {"model": ("odd.onnx", b"no model")}
    refused = server.http.post("/upload", data={"name": "odd"}, files=files)
    assert refused.status_code == 400
    assert "the model file is no ONNX model" in refused.json()["error"]
    assert "odd" not in server.names()


def test_each_model_has_a_process_and_the_server_has_not_imported_tensorflow(
    server: RunningServer, models: Path
) -> None:
    files = {"model": ("sum.onnx", (models / "model.onnx").read_bytes())}
    assert server.http.post("/upload", data={"name": "own"}, files=files).status_code == 200
    assert server.predict(model="own", values=[1, 1, 1]).status_code == 200
    pids = {one["model"]: one["pid"] for one in server.http.get("/status").json()["models"]}
    assert "onnxruntime" in mapped(pids["own/1"])
    everybody = [server.parent, *server.parent.children(recursive=True)]
    assert not any("tensorflow" in mapped(process.pid) for process in everybody)


def test_nobody_is_told_of_the_models(server: RunningServer, models: Path) -> None:
    assert server.upload("silent", models / "model.onnx").status_code == 200
    assert "telemetry" not in server.log.read_text()
