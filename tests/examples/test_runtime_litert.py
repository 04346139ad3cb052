"""Models of TensorFlow Lite over HTTP, by the example ``tfaas-runtime-litert``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.examples.conftest import Example, Install, mapped
from tfaas_core.testing.server import RunningServer


@pytest.fixture(scope="module")
def example(install: Install) -> Example:
    return install("tfaas-runtime-litert")


@pytest.fixture(scope="module")
def server(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with example.served(tmp_path_factory.mktemp("served"), "server.workers=1") as server:
        yield server


def upload(server: RunningServer, name: str, model: Path) -> httpx.Response:
    files = {"model": (model.name, model.read_bytes())}
    return server.http.post("/upload", data={"name": name}, files=files)


def test_its_own_tests_pass(example: Example) -> None:
    example.run("-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_models_are_uploaded_and_answer(server: RunningServer, example: Example) -> None:
    for name in ("sum", "unsigned"):
        uploaded = upload(server, name, example.folder / "tests" / f"{name}.tflite")
        assert uploaded.status_code == 200, uploaded.text
        assert (uploaded.json()["runtime"], uploaded.json()["model"]) == (
            "litert",
            f"{name}.tflite",
        )
        assert server.predict(model=name, values=[1, 1, 1]).json() == [6.0]
        assert server.predict(model=name, values=[[1, 0, 0], [0, 0, 1]]).json() == [[1.0], [3.0]]
        assert server.predict(model=name, values=[1, 2]).status_code == 422


def test_a_broken_model_is_refused(server: RunningServer, tmp_path: Path) -> None:
    broken = tmp_path / "odd.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(1000))
    refused = upload(server, "odd", broken)
    assert refused.status_code == 400
    assert "the model file is none of TensorFlow Lite" in refused.json()["error"]
    assert "odd" not in server.names()


def test_models_share_what_their_fork_server_has_imported(
    server: RunningServer, example: Example
) -> None:
    for name in ("one", "two"):
        assert upload(server, name, example.folder / "tests" / "sum.tflite").status_code == 200
    parent = server.fork_server()
    models = server.http.get("/status").json()["models"]
    pids = {one["pid"] for one in models if one["model"] in ("one/1", "two/1")}
    assert pids <= {child.pid for child in parent.children()}
    assert "litert" in mapped(parent.pid)
    assert "tensorflow" not in mapped(parent.pid)
